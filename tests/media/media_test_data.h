// The fixtures in tests/data/media, which tools/make_media_fixtures.py makes.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include "common/errors.h"
#include "media/picture_errors.h"
#include "media/picture_reader.h"

namespace layerpipe::media {

inline std::filesystem::path media_data(const std::string& name) {
  return std::filesystem::path(LAYERPIPE_TEST_DATA) / "media" / name;
}

inline std::string file_bytes(const std::filesystem::path& path) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream) throw std::runtime_error("no fixture " + path.string());
  return {std::istreambuf_iterator<char>(stream), {}};
}

// One line of a list.txt.
struct MediaCase {
  std::string name;
  int width = 0;
  int height = 0;
  std::string source;  // of resize/ and profiles/: the file
};

inline std::vector<MediaCase> media_cases(const std::string& folder) {
  std::istringstream lines(file_bytes(media_data(folder + "/list.txt")));
  std::vector<MediaCase> cases;
  for (std::string line; std::getline(lines, line);) {
    MediaCase media_case;
    std::istringstream(line) >> media_case.name >> media_case.width >> media_case.height >> media_case.source;
    cases.push_back(media_case);
  }
  return cases;
}

inline Image expected_image(const std::string& folder, const MediaCase& media_case) {
  const std::string bytes = file_bytes(media_data(folder + "/" + media_case.name + ".rgba"));
  return {media_case.width, media_case.height, {bytes.begin(), bytes.end()}};
}

// Names the first pixel that differs by more than that many levels.
inline testing::AssertionResult images_close(const Image& actual, const Image& expected, int levels) {
  if (actual.width != expected.width || actual.height != expected.height) {
    return testing::AssertionFailure() << actual.width << " x " << actual.height << " instead of "
                                       << expected.width << " x " << expected.height;
  }
  for (int y = 0; y < actual.height; ++y) {
    for (int x = 0; x < actual.width; ++x) {
      const std::vector<int> is(actual.row(y) + 4 * x, actual.row(y) + 4 * x + 4);
      const std::vector<int> should(expected.row(y) + 4 * x, expected.row(y) + 4 * x + 4);
      const bool fits = std::equal(is.begin(), is.end(), should.begin(),
                                   [&](int a, int b) { return std::abs(a - b) <= levels; });
      if (fits) continue;
      return testing::AssertionFailure()
             << "column " << x << ", row " << y << " is " << testing::PrintToString(is) << " instead of "
             << testing::PrintToString(should);
    }
  }
  return testing::AssertionSuccess();
}

inline testing::AssertionResult images_equal(const Image& actual, const Image& expected) {
  return images_close(actual, expected, 0);
}

// What is said of a picture of that size, behind its name.
inline std::string size_refusal(std::uint32_t width, std::uint32_t height) {
  try {
    check_declared_size({}, width, height);
  } catch (const common::InputError& error) {
    return error.what();
  }
  return "no refusal";
}

// A picture of profiles/, and what the user is told about it; no remark when that is empty.
struct ProfileCase {
  std::string file;
  std::string remark;
};

inline void PrintTo(const ProfileCase& profile_case, std::ostream* out) {
  *out << profile_case.file;
}

inline std::string profile_case_name(const testing::TestParamInfo<ProfileCase>& info) {
  std::string name = info.param.file;
  std::replace(name.begin(), name.end(), '.', '_');
  return name;
}

inline void expect_in_srgb(const ProfileCase& profile_case) {
  const std::vector<MediaCase> cases = media_cases("profiles");
  const auto found = std::find_if(cases.begin(), cases.end(),
                                  [&](const MediaCase& c) { return c.source == profile_case.file; });
  ASSERT_NE(found, cases.end());
  const Picture picture = read_picture(media_data("profiles/" + profile_case.file));
  EXPECT_TRUE(images_equal(picture.image, expected_image("profiles", *found)));
  const std::vector<std::string> remarks(profile_case.remark.empty() ? 0 : 1, profile_case.remark);
  EXPECT_EQ(picture.remarks, remarks);
}

inline std::string case_name(const testing::TestParamInfo<MediaCase>& info) {
  return info.param.name;
}

inline void PrintTo(const MediaCase& media_case, std::ostream* out) {
  *out << media_case.name;
}

// A file of a damaged/ folder, and how read_picture has to refuse it.
struct Damage {
  std::string file;
  std::string message;  // after the path
  std::string remedy;
};

inline void PrintTo(const Damage& damage, std::ostream* out) {
  *out << damage.file;
}

inline std::string damage_name(const testing::TestParamInfo<Damage>& info) {
  return info.param.file.substr(0, info.param.file.find('.'));
}

inline void expect_refused(const std::filesystem::path& path, const Damage& damage) {
  ASSERT_TRUE(std::filesystem::exists(path));
  try {
    read_picture(path);
    FAIL() << path << " was read";
  } catch (const common::InputError& error) {
    EXPECT_EQ(error.what(), path.string() + damage.message);
    EXPECT_EQ(error.remedy(), damage.remedy);
  }
}

inline constexpr const char* kSmallerFirst = "Make the picture smaller first.";
inline constexpr const char* kExportAgain = "Export the picture again, or copy it again from where it came.";
inline constexpr const char* kGiveAPng = "Save the picture as PNG and give that file.";

}  // namespace layerpipe::media
