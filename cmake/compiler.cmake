# Settings that every target of this project shares. No global flags: targets ask for them.

set(LASTBIT_WARNINGS -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion)
if(LASTBIT_WERROR)
  list(APPEND LASTBIT_WARNINGS -Werror)
  if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
    # These come from GCC's optimizer, which guesses wrongly at other places in each version.
    list(APPEND LASTBIT_WARNINGS -Wno-error=array-bounds -Wno-error=dangling-pointer
      -Wno-error=maybe-uninitialized -Wno-error=restrict -Wno-error=stringop-overflow
      -Wno-error=stringop-overread -Wno-error=free-nonheap-object -Wno-error=nonnull)
  endif()
endif()

if(PROJECT_IS_TOP_LEVEL)
  set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
  set(CMAKE_CXX_EXTENSIONS OFF)
  if(LASTBIT_CCACHE)
    find_program(LASTBIT_CCACHE_PROGRAM ccache)
    if(LASTBIT_CCACHE_PROGRAM)
      # The sloppiness lets ccache serve objects that were compiled with a precompiled header; with the
      # base folder, a second checkout is served from what the first one compiled.
      add_compile_options($<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>)
      set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
        CCACHE_BASEDIR=${PROJECT_SOURCE_DIR}
        CCACHE_NOHASHDIR=1
        CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
        ${LASTBIT_CCACHE_PROGRAM})
    endif()
  endif()
  # mold links the LibTorch programs in a tenth of the default linker's time.
  find_program(LASTBIT_MOLD mold)
  if(LASTBIT_MOLD AND NOT CMAKE_CROSSCOMPILING)
    add_link_options(-fuse-ld=mold)
    set(LASTBIT_LINKS_WITH_MOLD ON)
  endif()
endif()
