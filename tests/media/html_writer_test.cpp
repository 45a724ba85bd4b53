#include "media/html_writer.h"

#include <gmock/gmock.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "common/errors.h"
#include "media/content_box.h"
#include "media/png_reader.h"
#include "media/viewer.h"
#include "tests/media/media_test_data.h"
#include "tests/support/refusal.h"

namespace layerpipe::media {
namespace {

// A clear picture of 40 x 30 with a coloured noise in `box`.
Image picture_with(const Box& box, unsigned seed) {
  Image image = make_image(40, 30);
  for (int y = box.top; y < box.top + box.height; ++y) {
    for (int x = box.left; x < box.left + box.width; ++x) {
      for (int c = 0; c < 4; ++c) {
        seed = seed * 1664525u + 1013904223u;
        image.row(y)[4 * x + c] = static_cast<std::uint8_t>((seed >> 24) | (c == 3 ? 1u : 0u));
      }
    }
  }
  return image;
}

// Bits that are no digit end it, as the "=" at the end do.
std::string decode_base64(const std::string& text) {
  const std::string digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  unsigned bits = 0;
  int count = 0;
  for (const char c : text) {
    const auto digit = digits.find(c);
    if (digit == std::string::npos) continue;
    bits = bits << 6 | static_cast<unsigned>(digit);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes += static_cast<char>(bits >> count & 255);
  }
  return bytes;
}

std::size_t occurrences(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) ++count;
  return count;
}

// Whether an extended POSIX expression is found in `text`.
bool contains(const std::string& text, const std::string& expression) {
  return ::testing::Value(text, ::testing::ContainsRegex(expression));
}

class HtmlWriterTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = ::testing::TempDir() + "/layerpipe_html_XXXXXX";
    folder_ = ::mkdtemp(name.data());
    for (const Image& image : images_) document_.layers.push_back({"layer", [image] { return image; }});
    document_.layers[0].name = "Sky";
    document_.layers[2].name = "Tree";
    document_.original = [] { return picture_with({0, 0, 40, 30}, 9); };
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string page() {
    write_html(folder_ / "page.html", document_);
    return file_bytes(folder_ / "page.html");
  }

  // What stands in the one element of `page` with this id.
  static std::string element(const std::string& page, const std::string& id) {
    const std::string start = " id=\"" + id + "\">";
    EXPECT_EQ(occurrences(page, start), 1u) << id;
    const auto begin = page.find(start) + start.size();
    return page.substr(begin, page.find("</script>", begin) - begin);
  }

  Image embedded(const std::string& page, const std::string& id) {
    std::ofstream(folder_ / "embedded.png", std::ios::binary) << decode_base64(element(page, id));
    return read_png(folder_ / "embedded.png");
  }

  static nlohmann::json data(const std::string& page) { return nlohmann::json::parse(element(page, "data")); }

  std::filesystem::path folder_;
  const std::vector<Image> images_ = {picture_with({0, 0, 40, 30}, 1), make_image(40, 30),
                                      picture_with({7, 5, 11, 13}, 2)};
  Document document_{40, 30, "A tree", "layerpipe 0.1.0", {}, {{"Seed", "777"}}, {}};
};

TEST_F(HtmlWriterTest, EmbedsEveryLayerOnceWhereItHasContent) {
  const std::string text = page();
  EXPECT_EQ(occurrences(text, "type=\"image/png;base64\""), 3u);  // two layers and the original
  EXPECT_TRUE(images_equal(embedded(text, "png-layer-0"), images_[0]));
  EXPECT_EQ(text.find("png-layer-1\""), std::string::npos);
  EXPECT_TRUE(images_equal(embedded(text, "png-layer-2"), crop(images_[2], {7, 5, 11, 13})));
  EXPECT_TRUE(images_equal(embedded(text, "png-original"), document_.original()));
}

TEST_F(HtmlWriterTest, TellsThePageWhatItHolds) {
  const nlohmann::json expected = nlohmann::json::parse(R"({
    "width": 40, "height": 30, "title": "A tree", "generator": "layerpipe 0.1.0",
    "layers": [{"name": "Sky", "left": 0, "top": 0, "width": 40, "height": 30},
               {"name": "layer", "left": 0, "top": 0, "width": 0, "height": 0},
               {"name": "Tree", "left": 7, "top": 5, "width": 11, "height": 13}],
    "parameters": [["Seed", "777"]]})");
  EXPECT_EQ(data(page()), expected);
}

TEST_F(HtmlWriterTest, GoesWithoutAnOriginal) {
  document_.original = nullptr;
  EXPECT_EQ(page().find("id=\"png-original\""), std::string::npos);
}

// Pixels and texts are in the page; the rest of it is the viewer's.
TEST_F(HtmlWriterTest, LoadsNothing) {
  const std::string text = page();
  EXPECT_EQ(text.find("http:"), std::string::npos);
  EXPECT_EQ(text.find("https:"), std::string::npos);
  EXPECT_FALSE(contains(text, "[ \n]src *= *[\"']"));
  EXPECT_FALSE(contains(text, "[ \n]href=\"[^#d]"));  // a symbol of the page, or the icon's data:,
  EXPECT_EQ(text.find("@import"), std::string::npos);
  EXPECT_EQ(text.find("url("), std::string::npos);
  EXPECT_EQ(text.find("{{"), std::string::npos);
}

TEST_F(HtmlWriterTest, AllowsOnlyItsOwnScriptAndStyle) {
  const std::string text = page();
  const std::string policy =
      "http-equiv=\"Content-Security-Policy\" content=\""
      "default-src 'none'; img-src data: blob:; style-src 'sha256-[A-Za-z0-9+/]{43}='; "
      "script-src 'sha256-[A-Za-z0-9+/]{43}='; base-uri 'none'; form-action 'none'\"";
  EXPECT_TRUE(contains(text, policy));
  EXPECT_LT(text.find("Content-Security-Policy"), text.find("<style>"));
  EXPECT_EQ(occurrences(text, "<script>"), 1u);
  EXPECT_NE(text.find("<script>" + std::string(kViewerScript) + "</script>"), std::string::npos);
  EXPECT_NE(text.find("<style>" + std::string(kViewerStyle) + "</style>"), std::string::npos);
  EXPECT_FALSE(contains(text, "<[a-z][^<>]* (on[a-z]+|style)="));  // would be forbidden
}

struct HostileText {
  std::string what;
  std::string text;
  std::string shown;  // in place of the text, when it is not UTF-8
};

void PrintTo(const HostileText& hostile, std::ostream* out) {
  *out << hostile.what;
}

class HtmlWriterHostileTest : public HtmlWriterTest, public ::testing::WithParamInterface<HostileText> {};

TEST_P(HtmlWriterHostileTest, KeepsTextsFromBecomingMarkup) {
  const std::string harmless = page();
  const std::string& text = GetParam().text;
  document_.layers[2].name = text;
  document_.title = text;
  document_.generator = text;
  document_.parameters = {{text, text}};
  const std::string hostile = page();
  for (const std::string markup :
       {"<script", "</script", "<!--", "<title", "</title", "<img", "onerror=\""}) {
    EXPECT_EQ(occurrences(hostile, markup), occurrences(harmless, markup)) << markup;
  }
  const std::string shown = GetParam().shown.empty() ? text : GetParam().shown;
  const nlohmann::json told = data(hostile);
  EXPECT_EQ(told["layers"][2]["name"], shown);
  EXPECT_EQ(told["title"], shown);
  EXPECT_EQ(told["generator"], shown);
  EXPECT_EQ(told["parameters"][0][0], shown);
  EXPECT_EQ(told["parameters"][0][1], shown);
  for (const char c : element(hostile, "data")) ASSERT_TRUE(c >= ' ' && c <= '~');
  EXPECT_TRUE(images_equal(embedded(hostile, "png-layer-2"), crop(images_[2], {7, 5, 11, 13})));
}

INSTANTIATE_TEST_SUITE_P(
    Texts, HtmlWriterHostileTest,
    ::testing::Values(HostileText{"end_of_script", "</script><script>alert(1)</script><!-- <script>", ""},
                      HostileText{"end_of_title", "</title></head><img src=x onerror=\"alert(1)\">", ""},
                      HostileText{"quotes", "\"'\\\" \\u003c &quot; &amp; {{data}} {{policy}} ]]>", ""},
                      HostileText{"lines", "one\ntwo\r\nthree\tfour\b", ""},
                      HostileText{"separators",
                                  "a\xE2\x80\xA8"
                                  "b\xE2\x80\xA9",
                                  ""},
                      HostileText{
                          "emoji",
                          "\xF0\x9F\x8C\x9E \xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x8E\xA8 \xE5\xA4\xAA", ""},
                      HostileText{"nul", std::string("a\0b", 3), ""},
                      HostileText{"no_utf8",
                                  "a\xFF"
                                  "b\xC3",
                                  "a\xEF\xBF\xBD"
                                  "b\xEF\xBF\xBD"},
                      HostileText{"long", std::string(10'000, '<'), ""}),
    [](const auto& info) { return info.param.what; });

TEST_F(HtmlWriterTest, WritesTheSameBytesAgain) {
  const std::string first = page();
  EXPECT_EQ(first, page());
}

TEST_F(HtmlWriterTest, ReadsEveryLayerOnce) {
  std::vector<int> order;
  for (int i = 0; i < 3; ++i) {
    document_.layers[static_cast<std::size_t>(i)].read = [&, i] {
      order.push_back(i);
      return images_[static_cast<std::size_t>(i)];
    };
  }
  page();
  EXPECT_EQ(order, std::vector<int>({0, 1, 2}));
}

TEST_F(HtmlWriterTest, RefusesPicturesOfAnotherSize) {
  const auto refused = [this] { return layerpipe::testing::refusal("no file", [this] { page(); }); };
  document_.layers[1].read = [] { return make_image(40, 31); };
  EXPECT_EQ(refused(), "layer 1 has 40 × 31 pixels, but the document has 40 × 30");
  document_.layers[1].read = [] { return make_image(40, 30); };
  document_.original = [] { return make_image(39, 30); };
  EXPECT_EQ(refused(), "the original has 39 × 30 pixels, but the document has 40 × 30");
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
}

TEST_F(HtmlWriterTest, RefusesWhatIsNoDocument) {
  Document document = document_;
  document.layers.clear();
  EXPECT_THROW(write_html(folder_ / "a.html", document), common::InternalError);
  document = document_;
  document.width = 0;
  EXPECT_THROW(write_html(folder_ / "a.html", document), common::InternalError);
  document = document_;
  document.layers[0].read = [] { return Image{}; };
  EXPECT_THROW(write_html(folder_ / "a.html", document), common::InternalError);
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
}

TEST_F(HtmlWriterTest, LeavesAnOldFileAloneWhenALayerCannotBeRead) {
  const std::string before = page();
  document_.layers[2].read = []() -> Image { throw common::InputError("gone"); };
  EXPECT_THROW(page(), common::InputError);
  EXPECT_EQ(file_bytes(folder_ / "page.html"), before);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1);
}

TEST_F(HtmlWriterTest, ReportsAFolderThatDoesNotExist) {
  EXPECT_THROW(write_html(folder_ / "missing" / "a.html", document_), common::OutputError);
}

TEST_F(HtmlWriterTest, ReportsADiskThatIsFull) {
  // The page grows beside its target, so a full disk is played by a limit on the size of files.
  const auto write = [this] {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{20'000, 20'000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    try {
      page();
    } catch (const common::OutputError&) {
      std::exit(std::filesystem::is_empty(folder_) ? 6 : 1);
    }
  };
  EXPECT_EXIT(write(), ::testing::ExitedWithCode(6), "");
}

}  // namespace
}  // namespace layerpipe::media
