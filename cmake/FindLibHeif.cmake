# Finds libheif. Defines LibHeif::LibHeif.
find_path(LIBHEIF_INCLUDE_DIR libheif/heif.h)
find_library(LIBHEIF_LIBRARY heif)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(LibHeif REQUIRED_VARS LIBHEIF_LIBRARY LIBHEIF_INCLUDE_DIR)
if(LibHeif_FOUND AND NOT TARGET LibHeif::LibHeif)
  add_library(LibHeif::LibHeif UNKNOWN IMPORTED)
  set_target_properties(LibHeif::LibHeif PROPERTIES
    IMPORTED_LOCATION "${LIBHEIF_LIBRARY}" INTERFACE_INCLUDE_DIRECTORIES "${LIBHEIF_INCLUDE_DIR}")
endif()
mark_as_advanced(LIBHEIF_INCLUDE_DIR LIBHEIF_LIBRARY)
