# Decides which of the libraries that reading pictures can do without are used.
#   LAYERPIPE_WEBP, LAYERPIPE_LCMS = AUTO   when the library is found (the default)
#                                    ON     an error without it
#                                    OFF    never
# Sets LAYERPIPE_WITH_WEBP and LAYERPIPE_WITH_LCMS.
function(layerpipe_optional_library name package purpose debian_package)
  set(with OFF)
  if(NOT LAYERPIPE_${name} STREQUAL "OFF")
    find_package(${package} QUIET)
    if(${package}_FOUND)
      set(with ON)
    elseif(LAYERPIPE_${name} STREQUAL "ON")
      message(FATAL_ERROR "LAYERPIPE_${name} is ON, but ${package} was not found. "
                          "Install it (Debian: ${debian_package}), or configure with -DLAYERPIPE_${name}=OFF.")
    endif()
  endif()
  set(LAYERPIPE_WITH_${name} ${with} PARENT_SCOPE)
  message(STATUS "${purpose}: ${with}")
endfunction()

layerpipe_optional_library(WEBP WebP "WebP pictures" libwebp-dev)
layerpipe_optional_library(LCMS LCMS2 "Colour profiles" liblcms2-dev)
