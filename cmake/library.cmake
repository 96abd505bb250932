# lastbit_library(<name> [SOURCES ...] [HEADERS ...] [DEPENDS ...] [PRIVATE ...])
#
# Declares lastbit::<name>. Paths are relative to the calling folder. HEADERS are public. DEPENDS are
# part of the interface; PRIVATE libraries are not.
function(lastbit_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;HEADERS;DEPENDS;PRIVATE" ${ARGN})
  add_library(lastbit_${name} ${ARG_SOURCES})
  add_library(lastbit::${name} ALIAS lastbit_${name})
  set_target_properties(lastbit_${name} PROPERTIES EXPORT_NAME ${name} POSITION_INDEPENDENT_CODE ON)
  target_compile_features(lastbit_${name} PUBLIC cxx_std_20)
  target_compile_options(lastbit_${name} PRIVATE ${LASTBIT_WARNINGS})
  target_sources(lastbit_${name}
    PUBLIC FILE_SET HEADERS BASE_DIRS ${PROJECT_SOURCE_DIR} FILES ${ARG_HEADERS})
  target_link_libraries(lastbit_${name} PUBLIC ${ARG_DEPENDS} PRIVATE ${ARG_PRIVATE})
endfunction()

# lastbit_test(<file without .cc> <library>...)
#
# Declares one test program; its cases are found by CTest under the name <folder>.<case>.
function(lastbit_test file)
  get_filename_component(folder ${CMAKE_CURRENT_SOURCE_DIR} NAME)
  set(name test_${folder}_${file})
  add_executable(${name} ${file}.cc)
  target_compile_options(${name} PRIVATE ${LASTBIT_WARNINGS})
  target_link_libraries(${name} PRIVATE ${ARGN} GTest::gmock GTest::gtest_main)
  gtest_discover_tests(${name} TEST_PREFIX ${folder}. DISCOVERY_MODE PRE_TEST
    PROPERTIES TIMEOUT 300)
endfunction()
