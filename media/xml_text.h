// What the writers of documents share for XML.
#pragma once

#include <pugixml.hpp>
#include <sstream>
#include <string>

namespace layerpipe::media {

// The document as UTF-8, with its declaration.
inline std::string xml_text(const pugi::xml_document& document) {
  std::ostringstream out;
  document.save(out, "", pugi::format_raw, pugi::encoding_utf8);
  return out.str();
}

inline void add_declaration(pugi::xml_document& document) {
  pugi::xml_node declaration = document.append_child(pugi::node_declaration);
  declaration.append_attribute("version") = "1.0";
  declaration.append_attribute("encoding") = "UTF-8";
  declaration.append_attribute("standalone") = "yes";
}

}  // namespace layerpipe::media
