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
  check_language(CUDA)
  if(CMAKE_CUDA_COMPILER)
    set(CMAKE_CUDA_ARCHITECTURES "${LAYERPIPE_CUDA_ARCHITECTURES}")
    set(CMAKE_CUDA_STANDARD 20)
    set(CMAKE_CUDA_STANDARD_REQUIRED ON)
    enable_language(CUDA)
    find_package(CUDAToolkit 13 REQUIRED)
    set(LAYERPIPE_WITH_CUDA ON)
  elseif(LAYERPIPE_CUDA STREQUAL "ON")
    message(FATAL_ERROR "LAYERPIPE_CUDA is ON, but there is no CUDA compiler. "
                        "Put nvcc (CUDA 13) on the PATH, or configure with -DLAYERPIPE_CUDA=OFF.")
  endif()
endif()
message(STATUS "CUDA kernels: ${LAYERPIPE_WITH_CUDA}")
