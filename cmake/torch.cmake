# LibTorch: Debian's package by default, any other through CMAKE_PREFIX_PATH or Torch_DIR.
#
# Makes one target, lastbit::torch, whose headers are system headers.
# Global, so that projects that add this one as a folder can link what uses it.
find_package(Torch REQUIRED GLOBAL)
find_package(Threads REQUIRED GLOBAL)

add_library(lastbit_torch INTERFACE)
add_library(lastbit::torch ALIAS lastbit_torch)
target_include_directories(lastbit_torch SYSTEM INTERFACE ${TORCH_INCLUDE_DIRS})
target_link_libraries(lastbit_torch INTERFACE ${TORCH_LIBRARIES} Threads::Threads ${CMAKE_DL_LIBS})
separate_arguments(LASTBIT_TORCH_FLAGS NATIVE_COMMAND "${TORCH_CXX_FLAGS}")
target_compile_options(lastbit_torch INTERFACE ${LASTBIT_TORCH_FLAGS})
