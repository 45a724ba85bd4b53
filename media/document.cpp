#include "media/document.h"

#include <algorithm>

#include "common/errors.h"
#include "media/composite.h"

namespace layerpipe::media {

std::vector<DocumentStep> document_steps(const Document& document) {
  using Kind = DocumentStep::Kind;
  std::vector<DocumentStep> steps;
  std::vector<std::size_t> open;  // groups, from the outside in
  std::size_t next = 0;           // group
  for (std::size_t layer = 0; layer < document.layers.size(); ++layer) {
    for (; next < document.groups.size() && document.groups[next].begin == layer; ++next) {
      const DocumentGroup& group = document.groups[next];
      const std::size_t most = open.empty() ? document.layers.size() : document.groups[open.back()].end;
      common::ensure(group.end > layer && group.end <= most,
                     "a document's groups are not within one another");
      steps.push_back({Kind::kBeginGroup, next});
      open.push_back(next);
    }
    steps.push_back({Kind::kLayer, layer});
    for (; !open.empty() && document.groups[open.back()].end == layer + 1; open.pop_back())
      steps.push_back({Kind::kEndGroup, open.back()});
  }
  common::ensure(next == document.groups.size(), "a document's groups are not in the order of its layers");
  return steps;
}

std::string full_name(const Document& document, std::size_t layer) {
  std::string name;
  for (const DocumentGroup& group : document.groups) {
    if (group.begin <= layer && layer < group.end) name += group.name + " / ";
  }
  return name + document.layers.at(layer).name;
}

Image composite(const Document& document) {
  Compositor compositor(document.width, document.height);
  for (const DocumentLayer& layer : document.layers) compositor.add(layer.read());
  return compositor.picture();
}

}  // namespace layerpipe::media
