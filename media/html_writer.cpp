#include "media/html_writer.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/errors.h"
#include "common/files.h"
#include "media/content_box.h"
#include "media/html_text.h"
#include "media/png_writer.h"
#include "media/viewer.h"

namespace layerpipe::media {
namespace {

// The file while it grows.
class Page {
 public:
  explicit Page(const std::filesystem::path& path)
      : path_(path), beside_(path), file_(std::fopen(beside_.temporary().c_str(), "wb")) {
    if (file_ == nullptr) throw common::output_error(path_, errno);
  }

  void write(std::string_view text) {
    if (std::fwrite(text.data(), 1, text.size(), file_.get()) != text.size()) {
      throw common::output_error(path_, errno);
    }
  }

  void finish() {
    if (std::fclose(file_.release()) != 0) throw common::output_error(path_, errno);
    beside_.commit();
  }

 private:
  struct Close {
    void operator()(std::FILE* file) const noexcept { std::fclose(file); }
  };
  std::filesystem::path path_;
  common::FileBeside beside_;
  std::unique_ptr<std::FILE, Close> file_;
};

// In lines, so that an editor can open the page; a multiple of 3 bytes each, so that they join to one text.
void write_base64(Page& page, std::span<const std::byte> bytes) {
  constexpr std::size_t kLineBytes = 3072;
  for (std::size_t i = 0; i < bytes.size(); i += kLineBytes) {
    page.write("\n");
    page.write(base64(bytes.subspan(i, std::min(kLineBytes, bytes.size() - i))));
  }
}

// Nothing is loaded, and only our own script and style count: a text that got into the page as markup after
// all would still do nothing.
std::string policy() {
  return "default-src 'none'; img-src data: blob:; style-src " + policy_source(kViewerStyleSha256) +
         "; script-src " + policy_source(kViewerScriptSha256) + "; base-uri 'none'; form-action 'none'";
}

// In ASCII, and without the "<" that could end the element around it. What is not UTF-8 becomes U+FFFD.
std::string json_text(const nlohmann::ordered_json& json) {
  std::string escaped;
  for (const char c : json.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace)) {
    if (c == '<') {
      escaped += "\\u003c";  // only strings can have one
    } else {
      escaped += c;
    }
  }
  return escaped;
}

void begin_data(Page& page, std::string_view id, std::string_view type) {
  page.write("<script type=\"");
  page.write(type);
  page.write("\" id=\"");
  page.write(id);
  page.write("\">");
}

void end_data(Page& page) {
  page.write("</script>\n");
}

void write_picture(Page& page, const std::string& id, const Image& picture, const EncodingWork& work) {
  begin_data(page, id, "image/png;base64");
  write_base64(page, encode_png(picture, {}, work));
  end_data(page);
}

Image read_picture_of(const Document& document, const std::string& name, const std::function<Image()>& read) {
  Image picture = read();
  common::ensure(is_valid(picture), "a picture of a document has no valid size");
  if (picture.width != document.width || picture.height != document.height) {
    const auto size = [](int width, int height) {
      return std::to_string(width) + " × " + std::to_string(height);
    };
    throw common::InputError(name + " has " + size(picture.width, picture.height) +
                                 " pixels, but the document has " + size(document.width, document.height),
                             "Layers must have one size.");
  }
  return picture;
}

// Embeds the layer, and gives what the page has to know about it.
nlohmann::ordered_json write_layer(Page& page, const Document& document, std::size_t index) {
  const DocumentLayer& layer = document.layers[index];
  Image picture = read_picture_of(document, "layer " + std::to_string(index), layer.read);
  const Box box = content_box(picture);
  if (!box.empty()) {
    if (box.width != picture.width || box.height != picture.height) picture = crop(picture, box);
    write_picture(page, "png-layer-" + std::to_string(index), picture, document.encoding);
  }
  return {{"name", full_name(document, index)},
          {"left", box.left},
          {"top", box.top},
          {"width", box.width},
          {"height", box.height}};
}

void write_data(Page& page, const Document& document) {
  nlohmann::ordered_json layers = nlohmann::ordered_json::array();
  for (std::size_t i = 0; i < document.layers.size(); ++i) layers.push_back(write_layer(page, document, i));
  if (document.original) {
    write_picture(page, "png-original", read_picture_of(document, "the original", document.original),
                  document.encoding);
  }
  nlohmann::ordered_json parameters = nlohmann::ordered_json::array();
  for (const auto& [name, value] : document.parameters) {
    parameters.push_back(nlohmann::ordered_json::array({name, value}));
  }
  begin_data(page, "data", "application/json");
  page.write(json_text({{"width", document.width},
                        {"height", document.height},
                        {"title", document.title},
                        {"generator", document.generator},
                        {"layers", std::move(layers)},
                        {"parameters", std::move(parameters)}}));
  end_data(page);
}

void write_part(Page& page, std::string_view name, const Document& document) {
  if (name == "policy") {
    page.write(policy());
  } else if (name == "title") {
    page.write(html_text(document.title));
  } else if (name == "generator") {
    page.write(html_text(document.generator));
  } else if (name == "style") {
    page.write(kViewerStyle);
  } else if (name == "script") {
    page.write(kViewerScript);
  } else {
    common::ensure(name == "data", "the viewer's page asks for a part that is not known");
    write_data(page, document);
  }
}

}  // namespace

void write_html(const std::filesystem::path& path, const Document& document) {
  common::ensure(document.width >= 1 && document.height >= 1 && document.width <= kMaxSide &&
                     document.height <= kMaxSide,
                 "a document has no valid size");
  common::ensure(!document.layers.empty(), "a document has no layer");
  Page page(path);
  std::string_view rest = kViewerPage;
  for (auto at = rest.find("{{"); at != std::string_view::npos; at = rest.find("{{")) {
    page.write(rest.substr(0, at));
    rest.remove_prefix(at + 2);
    const auto end = rest.find("}}");
    common::ensure(end != std::string_view::npos, "the viewer's page has a {{ without }}");
    write_part(page, rest.substr(0, end), document);
    rest.remove_prefix(end + 2);
  }
  page.write(rest);
  page.finish();
}

}  // namespace layerpipe::media
