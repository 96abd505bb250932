# The shared library of the runtime, which exports the functions of lastbit.h alone, and what is
# installed: find_package(lastbit COMPONENTS runtime) gives lastbit::runtime, the C++ API as static
# libraries, and lastbit::runtime_c, the shared library.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# A section for each function, so that the linker leaves out what the runtime does not call.
foreach(part base quant detect graph runtime)
  target_compile_options(lastbit_${part} PRIVATE -ffunction-sections -fdata-sections)
endforeach()

# Reading a model takes little time and much code: 400 kB less than with -O3.
target_compile_options(lastbit_base PRIVATE $<$<CONFIG:Release>:-Os>)
target_compile_options(lastbit_graph PRIVATE $<$<CONFIG:Release>:-Os>)

add_library(lastbit_runtime_c SHARED lastbit/runtime/c_api.cc)
add_library(lastbit::runtime_c ALIAS lastbit_runtime_c)
set_target_properties(lastbit_runtime_c PROPERTIES
  OUTPUT_NAME lastbit_runtime EXPORT_NAME runtime_c
  VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}
  CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON
  LINK_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/runtime_exports.txt)
target_compile_definitions(lastbit_runtime_c PRIVATE LASTBIT_VERSION="${PROJECT_VERSION}")
target_compile_options(lastbit_runtime_c PRIVATE ${LASTBIT_WARNINGS} $<$<CONFIG:Release>:-Os>)
target_link_options(lastbit_runtime_c PRIVATE
  -Wl,--version-script=${CMAKE_CURRENT_LIST_DIR}/runtime_exports.txt -Wl,--gc-sections)
# Equal code once, where the linker can: no function's address is compared here.
if(LASTBIT_LINKS_WITH_MOLD)
  target_link_options(lastbit_runtime_c PRIVATE -Wl,--icf=all)
endif()
target_link_libraries(lastbit_runtime_c PRIVATE lastbit::runtime)
target_include_directories(lastbit_runtime_c INTERFACE
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)

install(TARGETS lastbit_base lastbit_quant lastbit_detect lastbit_graph lastbit_runtime lastbit_runtime_c
  EXPORT lastbit_runtime COMPONENT runtime
  ARCHIVE COMPONENT runtime LIBRARY COMPONENT runtime
  FILE_SET HEADERS COMPONENT runtime)
install(FILES ${PROJECT_SOURCE_DIR}/lastbit/runtime/lastbit.h
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/lastbit/runtime COMPONENT runtime)
set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/lastbit)
install(EXPORT lastbit_runtime FILE lastbit-runtime.cmake NAMESPACE lastbit::
  DESTINATION ${package_folder} COMPONENT runtime)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/lastbit-config-version.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_LIST_DIR}/lastbit-config.cmake
  ${PROJECT_BINARY_DIR}/lastbit-config-version.cmake
  DESTINATION ${package_folder} COMPONENT runtime)
# Relative to the file itself: the folder is chosen when it is installed.
file(RELATIVE_PATH LASTBIT_PC_INCLUDEDIR
  /${CMAKE_INSTALL_LIBDIR}/pkgconfig /${CMAKE_INSTALL_INCLUDEDIR})
configure_file(${CMAKE_CURRENT_LIST_DIR}/lastbit_runtime.pc.in
  ${PROJECT_BINARY_DIR}/lastbit_runtime.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/lastbit_runtime.pc
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT runtime)
