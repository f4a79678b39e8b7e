# Compiler flags that every target gets, in one interface target. No -march: the program runs on any x86-64 and picks
# AVX2 or AVX-512 code at run time; it builds for arm64 as it is.
add_library(ghost_options INTERFACE)
target_include_directories(ghost_options INTERFACE
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}> $<INSTALL_INTERFACE:include/ghosttrain>)
target_compile_features(ghost_options INTERFACE cxx_std_20)
target_compile_options(ghost_options INTERFACE
  $<BUILD_INTERFACE:$<$<COMPILE_LANGUAGE:CXX>:-Wall;-Wextra;-Wno-psabi>>)
if(GHOST_WERROR)
  target_compile_options(ghost_options INTERFACE $<BUILD_INTERFACE:$<$<COMPILE_LANGUAGE:CXX>:-Werror>>)
endif()

if(GHOST_FUZZ)
  if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    message(FATAL_ERROR "GHOST_FUZZ needs clang, got ${CMAKE_CXX_COMPILER_ID}; set CMAKE_CXX_COMPILER=clang++-19")
  endif()
  set(_flags -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
elseif(GHOST_SANITIZE STREQUAL "address")
  set(_flags -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
elseif(GHOST_SANITIZE STREQUAL "thread")
  set(_flags -fsanitize=thread -fno-omit-frame-pointer)
elseif(GHOST_SANITIZE)
  message(FATAL_ERROR "GHOST_SANITIZE is '${GHOST_SANITIZE}'; use empty, address or thread")
endif()
if(_flags)
  # No points-to analysis: of the instrumented SIMD kernels it takes the compiler minutes.
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    list(APPEND _flags -fno-tree-pta)
  endif()
  add_compile_options("$<$<COMPILE_LANGUAGE:CXX>:${_flags}>")
  string(REPLACE ";" " " _flags "${_flags}")
  add_link_options(SHELL:${_flags})
endif()
