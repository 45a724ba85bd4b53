// launch/report_page/report.css as it was when the program was built: cmake/EmbedText.cmake makes the file
// that defines it.
#pragma once

#include <string_view>

namespace layerpipe::launch {

extern const std::string_view kReportStyle;
extern const std::string_view kReportStyleSha256;  // in hexadecimal, for the page's Content-Security-Policy

}  // namespace layerpipe::launch
