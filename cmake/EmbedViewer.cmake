# Puts the sources of the page in media/viewer/ into a C++ file, which defines what media/viewer.h declares.
#
#   cmake -DPAGE=FILE -DSTYLE=FILE -DSCRIPTS=FILE,FILE... -DOUTPUT=FILE -P EmbedViewer.cmake
#
# Scripts are joined in the order given; they share one scope. They get the line in front that makes it strict.
cmake_minimum_required(VERSION 3.25)

file(READ "${PAGE}" page)
file(READ "${STYLE}" style)
set(script "\"use strict\";\n")
string(REPLACE "," ";" scripts "${SCRIPTS}")
foreach(file IN LISTS scripts)
  file(READ "${file}" text)
  string(APPEND script "\n${text}")
endforeach()

# A page would end at the first of these, wherever it stands.
foreach(text IN ITEMS style script)
  string(TOLOWER "${${text}}" lower)
  if(lower MATCHES "</(style|script)|<!--|\\)viewer\"")
    message(FATAL_ERROR "The viewer's ${text} contains \"${CMAKE_MATCH_0}\", which cannot be embedded.")
  endif()
  string(SHA256 ${text}_hash "${${text}}")
endforeach()

file(WRITE "${OUTPUT}" "// Made by cmake/EmbedViewer.cmake from media/viewer/.
#include \"media/viewer.h\"

namespace layerpipe::media {

const std::string_view kViewerPage = R\"viewer(${page})viewer\";
const std::string_view kViewerStyle = R\"viewer(${style})viewer\";
const std::string_view kViewerScript = R\"viewer(${script})viewer\";
const std::string_view kViewerStyleSha256 = \"${style_hash}\";
const std::string_view kViewerScriptSha256 = \"${script_hash}\";

}  // namespace layerpipe::media
")
