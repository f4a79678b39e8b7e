# GHOST_SIMD=native leaves out the instruction sets that this machine's CPU does not choose at run time: the same program
# here, compiled in half the time, and a slow one on another CPU. Only for x86-64; elsewhere there is one set anyway.
if(NOT GHOST_SIMD MATCHES "^(all|native)$")
  message(FATAL_ERROR "GHOST_SIMD is '${GHOST_SIMD}'; use all or native")
endif()
set(GHOST_SIMD_SETS "AVX-512, AVX2 and scalar, chosen at run time")
if(GHOST_SIMD STREQUAL "native" AND CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$")
  include(CheckCXXSourceRuns)
  check_cxx_source_runs("
    int main() {
      const bool all = __builtin_cpu_supports(\"avx512f\") && __builtin_cpu_supports(\"avx512vl\") &&
                       __builtin_cpu_supports(\"avx512dq\") && __builtin_cpu_supports(\"avx512bw\") &&
                       __builtin_cpu_supports(\"avx512cd\");
      return all ? 0 : 1;
    }" GHOST_CPU_HAS_AVX512)
  if(GHOST_CPU_HAS_AVX512)
    add_compile_definitions(GHOST_WITHOUT_AVX2)
    set(GHOST_SIMD_SETS "AVX-512 for this machine, and scalar")
  else()
    add_compile_definitions(GHOST_WITHOUT_AVX512)
    set(GHOST_SIMD_SETS "AVX2 for this machine, and scalar")
  endif()
endif()
