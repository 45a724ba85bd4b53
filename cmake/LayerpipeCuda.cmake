# Decides whether the CUDA kernels are compiled, and for which architectures.
#   LAYERPIPE_CUDA = AUTO   when a CUDA compiler is found (the default)
#   LAYERPIPE_CUDA = ON     an error without one
#   LAYERPIPE_CUDA = OFF    never
# Sets LAYERPIPE_WITH_CUDA.
set(LAYERPIPE_CUDA_ARCHITECTURES "80;86;89;90;120" CACHE STRING
    "Compute capabilities to compile the kernels for (one is enough for a machine of one's own: 90)")

set(LAYERPIPE_WITH_CUDA OFF)
if(NOT LAYERPIPE_CUDA STREQUAL "OFF")
  include(CheckLanguage)
  if(NOT CMAKE_CUDA_COMPILER)
    unset(CMAKE_CUDA_COMPILER CACHE)  # an earlier "not found" would keep check_language from looking again
  endif()
  check_language(CUDA)
  if(CMAKE_CUDA_COMPILER)
    set(CMAKE_CUDA_ARCHITECTURES "${LAYERPIPE_CUDA_ARCHITECTURES}")
    # nvcc would link its own static runtime beside the shared one that LibTorch loads: two runtimes in one process.
    # LibTorch::LibTorch brings the shared one.
    set(CMAKE_CUDA_RUNTIME_LIBRARY None)
    enable_language(CUDA)
    find_package(CUDAToolkit 13 REQUIRED)
    # CMake 3.25 does not know that nvcc takes C++20. CMAKE_CUDA_STANDARD has to follow enable_language, whose own test of the
    # compiler would otherwise ask for a standard that CMake has not heard of at that point.
    if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)
      set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)
      set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION -std=c++20)
    endif()
    set(CMAKE_CUDA_STANDARD 20)
    set(CMAKE_CUDA_STANDARD_REQUIRED ON)
    set(LAYERPIPE_WITH_CUDA ON)
  elseif(LAYERPIPE_CUDA STREQUAL "ON")
    message(FATAL_ERROR "LAYERPIPE_CUDA is ON, but there is no CUDA compiler. "
                        "Put nvcc (CUDA 13) on the PATH, or configure with -DLAYERPIPE_CUDA=OFF.")
  endif()
endif()
message(STATUS "CUDA kernels: ${LAYERPIPE_WITH_CUDA}")
