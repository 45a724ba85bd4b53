// The sources of the page in media/viewer/, as they were when the program was built: cmake/EmbedViewer.cmake
// makes the file that defines them.
#pragma once

#include <string_view>

namespace layerpipe::media {

// The page, with {{name}} where the writer puts something in.
extern const std::string_view kViewerPage;

extern const std::string_view kViewerStyle;
extern const std::string_view kViewerScript;

// SHA-256 in hexadecimal, for the page's Content-Security-Policy.
extern const std::string_view kViewerStyleSha256;
extern const std::string_view kViewerScriptSha256;

}  // namespace layerpipe::media
