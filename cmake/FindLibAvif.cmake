# Finds libavif. Defines LibAvif::LibAvif.
find_path(LIBAVIF_INCLUDE_DIR avif/avif.h)
find_library(LIBAVIF_LIBRARY avif)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(LibAvif REQUIRED_VARS LIBAVIF_LIBRARY LIBAVIF_INCLUDE_DIR)
if(LibAvif_FOUND AND NOT TARGET LibAvif::LibAvif)
  add_library(LibAvif::LibAvif UNKNOWN IMPORTED)
  set_target_properties(LibAvif::LibAvif PROPERTIES
    IMPORTED_LOCATION "${LIBAVIF_LIBRARY}" INTERFACE_INCLUDE_DIRECTORIES "${LIBAVIF_INCLUDE_DIR}")
endif()
mark_as_advanced(LIBAVIF_INCLUDE_DIR LIBAVIF_LIBRARY)
