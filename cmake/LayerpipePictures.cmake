# Decides which of the libraries that pictures and documents can do without are used.
#   LAYERPIPE_WEBP, LAYERPIPE_LCMS and so on = AUTO   when all that it needs is found (the default)
#                                              ON     an error without it
#                                              OFF    never
# Sets LAYERPIPE_WITH_WEBP, LAYERPIPE_WITH_LCMS and so on. `packages` is a list of what find_package takes, some with a version.
function(layerpipe_optional_library name packages purpose debian_packages)
  set(with OFF)
  if(NOT LAYERPIPE_${name} STREQUAL "OFF")
    set(with ON)
    foreach(package IN LISTS packages)
      separate_arguments(words NATIVE_COMMAND "${package}")
      list(GET words 0 package)
      find_package(${words} QUIET)
      if(${package}_FOUND)
        continue()
      endif()
      set(with OFF)
      if(LAYERPIPE_${name} STREQUAL "ON")
        message(FATAL_ERROR "LAYERPIPE_${name} is ON, but ${package} was not found. "
                            "Install it (Debian: ${debian_packages}), or configure with -DLAYERPIPE_${name}=OFF.")
      endif()
    endforeach()
  endif()
  set(LAYERPIPE_WITH_${name} ${with} PARENT_SCOPE)
  message(STATUS "${purpose}: ${with}")
endfunction()

layerpipe_optional_library(WEBP WebP "WebP pictures" libwebp-dev)
layerpipe_optional_library(HEIC LibHeif "HEIC pictures" libheif-dev)
layerpipe_optional_library(AVIF LibAvif "AVIF pictures" libavif-dev)
layerpipe_optional_library(TIFF "TIFF 4.5" "TIFF pictures" libtiff-dev)
layerpipe_optional_library(GIF GIF "GIF pictures" libgif-dev)
layerpipe_optional_library(LCMS LCMS2 "Colour profiles" liblcms2-dev)
layerpipe_optional_library(DOCUMENTS "LibZip;pugixml" "OpenRaster, PowerPoint and ZIP" "libzip-dev libpugixml-dev")
