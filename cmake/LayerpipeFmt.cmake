# Defines layerpipe_fmt: the system's {fmt}, compiled once in its library. LibTorch's package brings headers of another version, which
# sources that include LibTorch would find first; a folder with nothing but a link to the system's stands before it.
get_target_property(fmt_folder fmt::fmt INTERFACE_INCLUDE_DIRECTORIES)
if(NOT EXISTS "${fmt_folder}/fmt/format.h")
  message(FATAL_ERROR "The headers of {fmt} are not in ${fmt_folder}, where its package says. Install it again (Debian: libfmt-dev).")
endif()
set(fmt_only "${PROJECT_BINARY_DIR}/fmt")
file(MAKE_DIRECTORY "${fmt_only}")
file(CREATE_LINK "${fmt_folder}/fmt" "${fmt_only}/fmt" SYMBOLIC)
add_library(layerpipe_fmt INTERFACE)
target_include_directories(layerpipe_fmt INTERFACE "${fmt_only}")
target_link_libraries(layerpipe_fmt INTERFACE fmt::fmt)
