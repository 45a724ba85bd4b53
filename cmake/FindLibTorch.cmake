# Finds the LibTorch inside the PyPI package "torch".
#
# The package's own TorchConfig.cmake stops when torch was built with CUDA and the machine has no CUDA toolkit. This module asks
# for the toolkit only when the project compiles CUDA code (LAYERPIPE_WITH_CUDA); then torch has to be built for the same major
# version of CUDA.
#
# Looks, in this order, in: LibTorch_ROOT (the folder of the Python package; a variable of CMake or of the environment), the
# checkout's .venv, the python3 on the PATH. Takes the first that will do.
# Defines LibTorch::LibTorch, LibTorch::NCCL (with CUDA), LibTorch_VERSION, LibTorch_PACKAGE_DIR.
function(_libtorch_package_of python result)
  # find_spec does not import torch, which would take seconds.
  execute_process(
    COMMAND "${python}" -c "import importlib.util as u, os; s = u.find_spec('torch'); print(os.path.dirname(s.origin) if s and s.origin else '')"
    OUTPUT_VARIABLE folder OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  set(${result} "${folder}" PARENT_SCOPE)
endfunction()

# Sets <version>, and <problem> to why the package in <folder> will not do, or to "".
function(_libtorch_examine folder version problem)
  set(${version} "" PARENT_SCOPE)
  if(NOT EXISTS "${folder}/lib/libtorch_cpu.so" OR NOT EXISTS "${folder}/version.py")
    set(${problem} "no LibTorch in it" PARENT_SCOPE)
    return()
  endif()
  file(STRINGS "${folder}/version.py" line REGEX "^__version__ = ")
  string(REGEX MATCH "[0-9]+\\.[0-9]+(\\.[0-9]+)?" found "${line}")
  file(STRINGS "${folder}/version.py" line REGEX "^cuda[ :].*= ")
  string(REGEX MATCH "'([0-9]+)" _ "${line}")
  set(cuda "${CMAKE_MATCH_1}")
  set(${version} "${found}" PARENT_SCOPE)
  set(${problem} "" PARENT_SCOPE)
  if(LibTorch_FIND_VERSION AND found VERSION_LESS LibTorch_FIND_VERSION)
    set(${problem} "version ${found}, older than ${LibTorch_FIND_VERSION}" PARENT_SCOPE)
  elseif(LAYERPIPE_WITH_CUDA AND NOT EXISTS "${folder}/lib/libtorch_cuda.so")
    set(${problem} "built without CUDA" PARENT_SCOPE)
  elseif(LAYERPIPE_WITH_CUDA AND NOT cuda STREQUAL CUDAToolkit_VERSION_MAJOR)
    set(${problem} "built for CUDA ${cuda}, but the toolkit is ${CUDAToolkit_VERSION}" PARENT_SCOPE)
  endif()
endfunction()

set(_libtorch_candidates "${LibTorch_ROOT}" "$ENV{LibTorch_ROOT}")
find_program(LAYERPIPE_PYTHON3 python3)
foreach(_libtorch_python IN ITEMS "${PROJECT_SOURCE_DIR}/.venv/bin/python" "${LAYERPIPE_PYTHON3}")
  if(EXISTS "${_libtorch_python}")
    _libtorch_package_of("${_libtorch_python}" _libtorch_folder)
    list(APPEND _libtorch_candidates "${_libtorch_folder}")
  endif()
endforeach()

set(LibTorch_PACKAGE_DIR "")
set(LibTorch_VERSION "")
set(_libtorch_problems "")
foreach(_libtorch_folder IN LISTS _libtorch_candidates)
  if(_libtorch_folder AND NOT LibTorch_PACKAGE_DIR)
    _libtorch_examine("${_libtorch_folder}" _libtorch_version _libtorch_problem)
    if(_libtorch_problem)
      string(APPEND _libtorch_problems "\n  ${_libtorch_folder}: ${_libtorch_problem}")
    else()
      set(LibTorch_PACKAGE_DIR "${_libtorch_folder}")
      set(LibTorch_VERSION "${_libtorch_version}")
    endif()
  endif()
endforeach()
if(_libtorch_problems)
  message(STATUS "LibTorch passed over:${_libtorch_problems}")
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(LibTorch
  REQUIRED_VARS LibTorch_PACKAGE_DIR
  VERSION_VAR LibTorch_VERSION
  REASON_FAILURE_MESSAGE "Run launch/setup.sh, or name the folder of an installed torch package with -DLibTorch_ROOT=...")

if(LibTorch_FOUND AND NOT TARGET LibTorch::LibTorch)
  set(_libtorch_lib "${LibTorch_PACKAGE_DIR}/lib")
  add_library(LibTorch::LibTorch INTERFACE IMPORTED)
  target_include_directories(LibTorch::LibTorch SYSTEM INTERFACE "${LibTorch_PACKAGE_DIR}/include")
  # Without it ATen/core/Tensor.h includes the declarations of all operations.
  target_compile_definitions(LibTorch::LibTorch INTERFACE AT_PER_OPERATOR_HEADERS)
  target_link_libraries(LibTorch::LibTorch INTERFACE "${_libtorch_lib}/libtorch_cpu.so" "${_libtorch_lib}/libc10.so")
  # The CUDA back end registers itself when it is loaded, so it is linked although no symbol of it may be used. A CPU-only torch
  # has no such library.
  if(EXISTS "${_libtorch_lib}/libtorch_cuda.so")
    set(CMAKE_LINK_LIBRARY_USING_always_needed "LINKER:--push-state,--no-as-needed" "<LINK_ITEM>" "LINKER:--pop-state")
    set(CMAKE_LINK_LIBRARY_USING_always_needed_SUPPORTED TRUE)
    target_link_libraries(LibTorch::LibTorch INTERFACE
      "$<LINK_LIBRARY:always_needed,${_libtorch_lib}/libtorch_cuda.so>" "${_libtorch_lib}/libc10_cuda.so")
  endif()
  # Without OpenMP's flag at::parallel_for is one plain loop, so whoever includes ATen's headers compiles with it. The run-time
  # library is the one that torch brings along, where it does: a process must not have two.
  find_package(OpenMP REQUIRED COMPONENTS CXX)
  separate_arguments(_libtorch_openmp_flags NATIVE_COMMAND "${OpenMP_CXX_FLAGS}")
  target_compile_options(LibTorch::LibTorch INTERFACE "$<$<COMPILE_LANGUAGE:CXX>:${_libtorch_openmp_flags}>")
  file(GLOB _libtorch_openmp "${_libtorch_lib}/libgomp*.so*")
  if(_libtorch_openmp)
    list(GET _libtorch_openmp 0 _libtorch_openmp)
    target_link_libraries(LibTorch::LibTorch INTERFACE "${_libtorch_openmp}")
  else()
    target_link_libraries(LibTorch::LibTorch INTERFACE OpenMP::OpenMP_CXX)
  endif()

  # What those libraries need in turn lies in folders of other packages, which their own run paths name. Ours is of the old kind
  # too (DT_RPATH), which goes before LD_LIBRARY_PATH: a toolkit named there must not put its libcudart under torch.
  target_link_options(LibTorch::LibTorch INTERFACE
    "LINKER:--disable-new-dtags,-rpath,${_libtorch_lib}" "LINKER:--allow-shlib-undefined")

  if(LAYERPIPE_WITH_CUDA)
    # Headers come from the toolkit, because they belong to nvcc. The runtime is the one that torch itself loads: in the wheels of
    # NVIDIA beside torch or, where torch was not installed from PyPI, the toolkit's shared one.
    file(GLOB _libtorch_cudart "${LibTorch_PACKAGE_DIR}/../nvidia/*/lib/libcudart.so.${CUDAToolkit_VERSION_MAJOR}")
    target_include_directories(LibTorch::LibTorch SYSTEM INTERFACE "${CUDAToolkit_INCLUDE_DIRS}")
    if(_libtorch_cudart)
      list(GET _libtorch_cudart 0 _libtorch_cudart)
      file(REAL_PATH "${_libtorch_cudart}" _libtorch_cudart)
      cmake_path(GET _libtorch_cudart PARENT_PATH _libtorch_cudart_folder)
      target_link_libraries(LibTorch::LibTorch INTERFACE "${_libtorch_cudart}")
      target_link_options(LibTorch::LibTorch INTERFACE "LINKER:-rpath,${_libtorch_cudart_folder}")
    else()
      target_link_libraries(LibTorch::LibTorch INTERFACE CUDA::cudart)
    endif()

    # NCCL, too, is the one that torch loads: from NVIDIA's wheel beside it or, where there is none, the system's.
    find_path(LAYERPIPE_NCCL_INCLUDE_DIR nccl.h HINTS "${LibTorch_PACKAGE_DIR}/../nvidia/nccl/include" REQUIRED)
    find_library(LAYERPIPE_NCCL_LIBRARY NAMES libnccl.so.2 HINTS "${LibTorch_PACKAGE_DIR}/../nvidia/nccl/lib" REQUIRED)
    file(REAL_PATH "${LAYERPIPE_NCCL_LIBRARY}" _libtorch_nccl)
    cmake_path(GET _libtorch_nccl PARENT_PATH _libtorch_nccl_folder)
    add_library(LibTorch::NCCL INTERFACE IMPORTED)
    target_include_directories(LibTorch::NCCL SYSTEM INTERFACE "${LAYERPIPE_NCCL_INCLUDE_DIR}")
    target_link_libraries(LibTorch::NCCL INTERFACE "${_libtorch_nccl}")
    target_link_options(LibTorch::NCCL INTERFACE "LINKER:-rpath,${_libtorch_nccl_folder}")
    mark_as_advanced(LAYERPIPE_NCCL_INCLUDE_DIR LAYERPIPE_NCCL_LIBRARY)
  endif()
endif()
mark_as_advanced(LAYERPIPE_PYTHON3)
