# Builds for 64-bit Arm with Debian's cross compiler, and runs under QEMU what is built.
# QEMU_CPU=cortex-a72 gives a processor without dot products, QEMU_CPU=neoverse-n1 one with them.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64-static -L /usr/aarch64-linux-gnu)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(CMAKE_FIND_ROOT_PATH /usr/aarch64-linux-gnu)

# Protozero is headers alone, but the folder that they lie in also holds those of the host's libc.
if(NOT DEFINED PROTOZERO_INCLUDE_DIR AND EXISTS /usr/include/protozero)
  file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/headers)
  file(CREATE_LINK /usr/include/protozero ${CMAKE_BINARY_DIR}/headers/protozero SYMBOLIC)
  set(PROTOZERO_INCLUDE_DIR ${CMAKE_BINARY_DIR}/headers CACHE PATH "Folder of protozero")
endif()
