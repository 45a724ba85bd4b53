// Pictures that cannot be read; tests/media has many more damaged ones, for the readers alone.
#include "media/png_writer.h"
#include "tests/launch/refusals/refusal_case.h"

namespace layerpipe::testing {
namespace {

const std::string kSection = "Pictures";
const std::string kFetchAgain = "Export the picture again, or copy it again from where it came.";

// PICTURE is this file of tests/data.
RefusalCase fixture(const std::string& name, const std::string& deed, const std::string& file,
                    const std::string& message, const std::string& cure = kFetchAgain) {
  return {
      name, kSection, deed, [file](Workplace& w) { w.copy_here("picture.png", file); }, "PICTURE " + message,
      cure};
}

// PICTURE is of that size.
RefusalCase strip(const std::string& name, const std::string& deed, int width, int height,
                  const std::string& message, const std::string& cure) {
  return {name,
          kSection,
          deed,
          [=](Workplace& w) { media::write_png(w.picture(), media::make_image(width, height)); },
          "PICTURE " + message,
          cure};
}

}  // namespace

std::vector<RefusalCase> picture_cases() {
  return {
      {"PictureMissing", kSection, "a picture that is not there",
       [](Workplace& w) { w.remove_file("picture.png"); },
       "cannot open PICTURE: No such file or directory (errno 2)",
       "Give the path of a picture that may be read."},
      {"PictureIsAFolder", kSection, "a folder for a picture",
       [](Workplace& w) { w.set("--image", w.model()); }, "MODEL is not a regular file",
       "Give the path of a picture that may be read."},
      fixture("PictureEmpty", "an empty file", "media/damaged/empty.png", "is empty"),
      fixture("PictureIsText", "a file that is no picture", "media/kinds/list.txt",
              "is not a picture; PNG, JPEG, WebP, HEIC, AVIF, TIFF, GIF and BMP are read",
              "Save the picture as PNG and give that file."),
      fixture("PictureIsAJpegXl", "a picture of another kind", "media/damaged/jxl.png",
              "is a JPEG XL picture; PNG, JPEG, WebP, HEIC, AVIF, TIFF, GIF and BMP are read",
              "Save the picture as PNG and give that file."),
      fixture("PngCut", "a PNG that is cut short", "media/damaged/cut_in_pixels.png",
              "is cut short: the PNG in it does not end within its 141 bytes"),
      fixture("JpegCut", "a JPEG that is cut short", "media/jpeg/damaged/cut_in_scan.jpg",
              "is cut short: the JPEG in it does not end within its 663 bytes"),
      fixture("BmpCut", "a BMP that is cut short", "media/bmp/damaged/cut_in_pixels.bmp",
              "is cut short: the BMP in it does not end within its 328 bytes"),
      fixture("PngDamaged", "a PNG with a wrong checksum", "media/damaged/wrong_checksum.png",
              "is a damaged PNG picture (libpng: IDAT: CRC error)"),
      fixture("PngFromTextMode", "a PNG that was transferred as text", "media/damaged/text_mode.png",
              "is a PNG picture whose line ends were changed by a transfer in text mode"),
      fixture("PngWithoutWidth", "a picture of no width", "media/damaged/zero_width.png",
              "declares a size of 0 × 5 pixels"),
      fixture("JpegWithoutHeight", "a picture of no height", "media/jpeg/damaged/zero_height.jpg",
              "declares a size of 21 × 0 pixels"),
      fixture("PictureTooLarge", "a picture beyond the limit", "media/damaged/huge.png",
              "has 65501 × 100 pixels; at most 65500 × 65500 are read", "Make the picture smaller first."),
      fixture("DecompressionBomb", "a small file of a huge picture", "media/damaged/bomb.png",
              "has 16384 × 16384 pixels, 268435456 in all; at most 178956970 are read",
              "Make the picture smaller first."),
      fixture("JpegBomb", "the same as JPEG", "media/jpeg/damaged/bomb.jpg",
              "has 16384 × 16384 pixels, 268435456 in all; at most 178956970 are read",
              "Make the picture smaller first."),
      strip("PictureTooLong", "a strip that is too long for the resolution", 900, 30,
            "is 900 × 30 pixels: too long and narrow to be taken apart at 64 pixels, where one of its height "
            "may be "
            "up to 479 pixels wide",
            "Crop it to 479 × 30 pixels, or take --resolution 640."),
      strip("PictureTooLongForAll", "a strip that is too long for every resolution", 2, 50000,
            "is 2 × 50000 pixels: too long and narrow to be taken apart at 64 pixels, where one of its width "
            "may be "
            "up to 31 pixels high",
            "Crop it to 2 × 31 pixels."),
      fixture("JpegForPrint", "a JPEG in the colours of print", "media/jpeg/damaged/cmyk.jpg",
              "is a JPEG picture in CMYK, the colours of print; only grey and RGB ones are read",
              "Convert the picture to RGB (sRGB) and give that file."),
  };
}

}  // namespace layerpipe::testing
