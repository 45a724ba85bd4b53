#include "media/document.h"

#include <gtest/gtest.h>

#include "common/errors.h"

namespace layerpipe::media {
namespace {

Document document_of(std::size_t layers, std::vector<DocumentGroup> groups) {
  Document document;
  for (std::size_t i = 0; i < layers; ++i) document.layers.push_back({std::to_string(i), {}});
  document.groups = std::move(groups);
  return document;
}

// "0 (1 2) 3": a group's brackets around its layers.
std::string written(const Document& document) {
  std::string text;
  for (const DocumentStep& step : document_steps(document)) {
    switch (step.kind) {
      case DocumentStep::Kind::kBeginGroup:
        text += document.groups[step.index].name + "(";
        break;
      case DocumentStep::Kind::kLayer:
        text += document.layers[step.index].name + " ";
        break;
      case DocumentStep::Kind::kEndGroup:
        text += ")" + document.groups[step.index].name;
        break;
    }
  }
  return text;
}

TEST(DocumentSteps, AreTheLayersWithoutGroups) {
  EXPECT_EQ(written(document_of(3, {})), "0 1 2 ");
}

TEST(DocumentSteps, PutGroupsAroundTheirLayers) {
  EXPECT_EQ(written(document_of(4, {{"a", 1, 3}})), "0 a(1 2 )a3 ");
  EXPECT_EQ(written(document_of(3, {{"a", 0, 3}, {"b", 0, 2}, {"c", 0, 1}, {"d", 2, 3}})),
            "a(b(c(0 )c1 )bd(2 )d)a");
  EXPECT_EQ(written(document_of(2, {{"a", 0, 1}, {"b", 1, 2}})), "a(0 )ab(1 )b");
}

TEST(DocumentSteps, RefuseGroupsThatAreNotWithinOneAnother) {
  for (const std::vector<DocumentGroup>& groups :
       std::vector<std::vector<DocumentGroup>>{{{"a", 0, 2}, {"b", 1, 3}},
                                               {{"a", 1, 2}, {"b", 0, 1}},
                                               {{"a", 1, 1}},
                                               {{"a", 0, 4}},
                                               {{"a", 3, 4}}})
    EXPECT_THROW(document_steps(document_of(3, groups)), common::InternalError);
}

TEST(FullName, IsBehindTheGroups) {
  const Document document = document_of(3, {{"house", 1, 3}, {"door", 2, 3}});
  EXPECT_EQ(full_name(document, 0), "0");
  EXPECT_EQ(full_name(document, 1), "house / 1");
  EXPECT_EQ(full_name(document, 2), "house / door / 2");
}

}  // namespace
}  // namespace layerpipe::media
