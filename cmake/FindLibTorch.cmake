# Finds the LibTorch inside the PyPI package "torch".
#
# The package's own TorchConfig.cmake stops when torch was built with CUDA and the machine has no CUDA toolkit. This module asks
# for the toolkit only when the project compiles CUDA code (LAYERPIPE_WITH_CUDA).
#
# Looks, in this order, in: LibTorch_ROOT (the folder of the Python package), the checkout's .venv, the python3 on the PATH.
# Defines LibTorch::LibTorch, LibTorch_VERSION, LibTorch_PACKAGE_DIR.
function(_libtorch_package_of python result)
  # find_spec does not import torch, which would take seconds.
  execute_process(
    COMMAND "${python}" -c "import importlib.util as u, os; s = u.find_spec('torch'); print(os.path.dirname(s.origin) if s else '')"
    OUTPUT_VARIABLE folder OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  set(${result} "${folder}" PARENT_SCOPE)
endfunction()

set(_libtorch_candidates "")
if(LibTorch_ROOT)
  list(APPEND _libtorch_candidates "${LibTorch_ROOT}")
endif()
if(EXISTS "${PROJECT_SOURCE_DIR}/.venv/bin/python")
  _libtorch_package_of("${PROJECT_SOURCE_DIR}/.venv/bin/python" _libtorch_folder)
  list(APPEND _libtorch_candidates "${_libtorch_folder}")
endif()
find_program(LAYERPIPE_PYTHON3 python3)
if(LAYERPIPE_PYTHON3)
  _libtorch_package_of("${LAYERPIPE_PYTHON3}" _libtorch_folder)
  list(APPEND _libtorch_candidates "${_libtorch_folder}")
endif()

foreach(_libtorch_folder IN LISTS _libtorch_candidates)
  if(EXISTS "${_libtorch_folder}/lib/libtorch_cpu.so" AND EXISTS "${_libtorch_folder}/version.py")
    file(STRINGS "${_libtorch_folder}/version.py" _libtorch_line REGEX "^__version__ = ")
    string(REGEX MATCH "[0-9]+\\.[0-9]+(\\.[0-9]+)?" _libtorch_version "${_libtorch_line}")
    if(NOT LibTorch_FIND_VERSION OR NOT _libtorch_version VERSION_LESS LibTorch_FIND_VERSION)
      set(LibTorch_PACKAGE_DIR "${_libtorch_folder}")
      set(LibTorch_VERSION "${_libtorch_version}")
      break()
    endif()
  endif()
endforeach()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(LibTorch
  REQUIRED_VARS LibTorch_PACKAGE_DIR
  VERSION_VAR LibTorch_VERSION
  REASON_FAILURE_MESSAGE "Run launch/setup.sh, or name the folder of an installed torch package with -DLibTorch_ROOT=...")

if(LibTorch_FOUND AND NOT TARGET LibTorch::LibTorch)
  set(_libtorch_lib "${LibTorch_PACKAGE_DIR}/lib")
  add_library(LibTorch::LibTorch INTERFACE IMPORTED)
  target_include_directories(LibTorch::LibTorch SYSTEM INTERFACE "${LibTorch_PACKAGE_DIR}/include")
  # The CUDA back end registers itself when it is loaded, so it is linked although no symbol of it may be used. A CPU-only torch
  # has no such library.
  set(_libtorch_cuda "")
  if(EXISTS "${_libtorch_lib}/libtorch_cuda.so")
    set(_libtorch_cuda "${_libtorch_lib}/libc10_cuda.so" "-Wl,--no-as-needed,${_libtorch_lib}/libtorch_cuda.so,--as-needed")
  endif()
  target_link_libraries(LibTorch::LibTorch INTERFACE
    "${_libtorch_lib}/libtorch_cpu.so" "${_libtorch_lib}/libc10.so" ${_libtorch_cuda})
  # What those libraries need in turn lies in folders of other packages, which their own run paths name.
  target_link_options(LibTorch::LibTorch INTERFACE "-Wl,-rpath,${_libtorch_lib}" "-Wl,--allow-shlib-undefined")
  if(LAYERPIPE_WITH_CUDA)
    target_link_libraries(LibTorch::LibTorch INTERFACE CUDA::toolkit)
    target_compile_definitions(LibTorch::LibTorch INTERFACE USE_CUDA)
  endif()
endif()
mark_as_advanced(LAYERPIPE_PYTHON3)
