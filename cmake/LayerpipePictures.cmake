# Decides which of the libraries that pictures and documents can do without are used.
#   LAYERPIPE_WEBP, LAYERPIPE_LCMS, LAYERPIPE_DOCUMENTS = AUTO   when all that it needs is found (the default)
#                                                         ON     an error without it
#                                                         OFF    never
# Sets LAYERPIPE_WITH_WEBP, LAYERPIPE_WITH_LCMS and LAYERPIPE_WITH_DOCUMENTS. `packages` is a list.
function(layerpipe_optional_library name packages purpose debian_packages)
  set(with OFF)
  if(NOT LAYERPIPE_${name} STREQUAL "OFF")
    set(with ON)
    foreach(package IN LISTS packages)
      find_package(${package} QUIET)
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
layerpipe_optional_library(LCMS LCMS2 "Colour profiles" liblcms2-dev)
layerpipe_optional_library(DOCUMENTS "LibZip;pugixml" "OpenRaster, PowerPoint and ZIP" "libzip-dev libpugixml-dev")
