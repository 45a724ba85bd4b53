#include "media/pptx_writer.h"

#include <pugixml.hpp>

#include "common/errors.h"
#include "media/png_reader.h"
#include "media/zip_reader.h"
#include "tests/media/document_test_data.h"

namespace layerpipe::media {
namespace {

class PptxWriter : public DocumentTest {
 protected:
  // A part of the presentation that `document` becomes.
  pugi::xml_document part(const Document& document, const std::string& entry) {
    write_pptx(folder_ / "a.pptx", document);
    const std::string bytes = file_bytes(folder_ / "a.pptx");
    const std::vector<std::byte> xml = ZipReader(as_bytes(bytes), "").read(entry, 1 << 20);
    pugi::xml_document result;
    EXPECT_TRUE(result.load_buffer(xml.data(), xml.size()));
    return result;
  }

  Image picture(const std::string& entry) {
    const std::string bytes = file_bytes(folder_ / "a.pptx");
    const std::vector<std::byte> png = ZipReader(as_bytes(bytes), "").read(entry, 1 << 24);
    return read_png(PictureFile{png, entry}).image;
  }
};

// "x y cx cy" of a picture on a slide.
std::string place_of(const pugi::xml_node& picture) {
  const pugi::xml_node place = picture.child("p:spPr").child("a:xfrm");
  return std::string(place.child("a:off").attribute("x").value()) + ' ' +
         place.child("a:off").attribute("y").value() + ' ' + place.child("a:ext").attribute("cx").value() +
         ' ' + place.child("a:ext").attribute("cy").value();
}

std::vector<pugi::xml_node> pictures_of(const pugi::xml_document& slide) {
  std::vector<pugi::xml_node> pictures;
  for (const pugi::xml_node& node : slide.child("p:sld").child("p:cSld").child("p:spTree").children("p:pic"))
    pictures.push_back(node);
  return pictures;
}

std::string size_of(const pugi::xml_document& presentation) {
  const pugi::xml_node size = presentation.child("p:presentation").child("p:sldSz");
  return std::string(size.attribute("cx").value()) + ' ' + size.attribute("cy").value();
}

TEST_F(PptxWriter, PutsEachLayerAtItsPlace) {
  const Image back = noise_in(400, 300, {0, 0, 400, 300}, 1);
  const Image front = noise_in(400, 300, {50, 70, 200, 90}, 2);
  const Document document = document_of({{"back", back}, {"front", front}, {"empty", make_image(400, 300)}});
  EXPECT_EQ(size_of(part(document, "ppt/presentation.xml")), "3810000 2857500");
  const pugi::xml_document slide = part(document, "ppt/slides/slide1.xml");
  const std::vector<pugi::xml_node> pictures = pictures_of(slide);
  ASSERT_EQ(pictures.size(), 3u);
  EXPECT_EQ(place_of(pictures[0]), "0 0 3810000 2857500");
  EXPECT_EQ(place_of(pictures[1]), "476250 666750 1905000 857250");
  EXPECT_EQ(place_of(pictures[2]), "0 0 9525 9525");
  EXPECT_TRUE(images_equal(picture("ppt/media/image1.png"), back));
  EXPECT_TRUE(images_equal(picture("ppt/media/image2.png"), crop(front, {50, 70, 200, 90})));
  EXPECT_TRUE(images_equal(picture("ppt/media/image3.png"), make_image(1, 1)));
}

TEST_F(PptxWriter, SpreadsColorsIntoTransparentPixels) {
  part(document_of({{"a", {3, 1, {10, 20, 30, 255, 0, 0, 0, 0, 40, 50, 60, 255}}}}), "ppt/slides/slide1.xml");
  const Image expected{3, 1, {10, 20, 30, 255, 10, 20, 30, 0, 40, 50, 60, 255}};
  EXPECT_TRUE(images_equal(picture("ppt/media/image1.png"), expected));
}

TEST_F(PptxWriter, NamesLayersAndDescribesThem) {
  const Image image = noise_in(200, 200, {0, 0, 200, 200}, 1);
  Document document =
      document_of({{"sky \"<&>'\n\x01", image}, {"", image}, {std::string(10'000, 'x'), image}});
  document.title = "a hill";
  const pugi::xml_document slide = part(document, "ppt/slides/slide1.xml");
  const auto value = [&](std::size_t index, const char* name) {
    return std::string(pictures_of(slide)[index].child("p:nvPicPr").child("p:cNvPr").attribute(name).value());
  };
  EXPECT_EQ(value(0, "name"), "sky \"<&>' \xef\xbf\xbd");
  EXPECT_EQ(value(0, "descr"), "sky \"<&>' \xef\xbf\xbd: layer 1 of 3 from the back of a hill");
  EXPECT_EQ(value(1, "name"), "Layer 2");
  EXPECT_EQ(value(2, "name"), std::string(255, 'x'));
  document.title.clear();
  EXPECT_STREQ(pictures_of(part(document, "ppt/slides/slide1.xml"))[1]
                   .child("p:nvPicPr")
                   .child("p:cNvPr")
                   .attribute("descr")
                   .value(),
               "Layer 2: layer 2 of 3 from the back");
}

TEST_F(PptxWriter, TellsTitleAndParameters) {
  Document document = document_of({{"a", noise_in(200, 200, {0, 0, 200, 200}, 1)}});
  document.title = std::string("a\0 <b>", 6);
  document.parameters = {{"Seed", "777"}, {"Steps", "50"}};
  const pugi::xml_document core = part(document, "docProps/core.xml");
  const pugi::xml_node properties = core.child("cp:coreProperties");
  EXPECT_STREQ(properties.child("dc:title").text().get(), "a\xef\xbf\xbd <b>");
  EXPECT_STREQ(properties.child("dc:creator").text().get(), "layerpipe 0.0.0");
  EXPECT_STREQ(properties.child("dc:description").text().get(), "Seed: 777; Steps: 50");
  EXPECT_STREQ(properties.child("dcterms:created").text().get(), "1980-01-01T00:00:00Z");
}

struct SizeCase {
  int width;
  int height;
  std::string slide;
  std::string picture;  // that covers all
};

TEST_F(PptxWriter, KeepsTheSlideBetween1And56Inches) {
  for (const SizeCase& size :
       std::vector<SizeCase>{{96, 96, "914400 914400", "0 0 914400 914400"},
                             {48, 96, "914400 1828800", "0 0 914400 1828800"},
                             {5376, 96, "51206400 914400", "0 0 51206400 914400"},
                             {10752, 400, "51206400 1905000", "0 0 51206400 1905000"},
                             {10752, 96, "51206400 914400", "0 228600 51206400 457200"},
                             {1, 112, "914400 51206400", "228600 0 457200 51206400"}}) {
    Image corners = make_image(size.width, size.height);
    corners.pixels[3] = corners.pixels.back() = 255;
    const Document document = document_of({{"a", corners}});
    EXPECT_EQ(size_of(part(document, "ppt/presentation.xml")), size.slide);
    EXPECT_EQ(place_of(pictures_of(part(document, "ppt/slides/slide1.xml"))[0]), size.picture);
  }
}

TEST_F(PptxWriter, WritesTheSameBytesAgain) {
  const Document document = document_of({{"a", noise_in(96, 96, {3, 4, 20, 30}, 1)}});
  write_pptx(folder_ / "a.pptx", document);
  write_pptx(folder_ / "b.pptx", document);
  EXPECT_EQ(file_bytes(folder_ / "a.pptx"), file_bytes(folder_ / "b.pptx"));
}

TEST_F(PptxWriter, RefusesALayerOfAnotherSizeAndLeavesNothing) {
  Document document = document_of({{"a", make_image(4, 4)}});
  document.width = 5;
  EXPECT_THROW(write_pptx(folder_ / "a.pptx", document), common::InputError);
  EXPECT_EQ(files(), 0);
}

}  // namespace
}  // namespace layerpipe::media
