# Puts a text file into a C++ file, which defines NAME and NAMESha256 in NAMESPACE, as HEADER declares them.
#
#   cmake -DINPUT=FILE -DNAME=kText -DNAMESPACE=a::b -DHEADER=a/b.h -DOUTPUT=FILE -P EmbedText.cmake
cmake_minimum_required(VERSION 3.25)

file(READ "${INPUT}" text)
# What would end an HTML page's <style>, or the literal.
string(TOLOWER "${text}" lower)
if(lower MATCHES "</style|<!--|\\)embedded\"")
  message(FATAL_ERROR "${INPUT} contains \"${CMAKE_MATCH_0}\", which cannot be embedded.")
endif()
string(SHA256 hash "${text}")
get_filename_component(name "${INPUT}" NAME)
file(WRITE "${OUTPUT}" "// Made by cmake/EmbedText.cmake from ${name}.
#include \"${HEADER}\"

namespace ${NAMESPACE} {

const std::string_view ${NAME} = R\"embedded(${text})embedded\";
const std::string_view ${NAME}Sha256 = \"${hash}\";

}  // namespace ${NAMESPACE}
")
