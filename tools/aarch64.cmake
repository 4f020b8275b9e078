# Compiles for 64-bit ARM Linux, statically, with the Zig compiler of the Python package ziglang:
#
#   cmake -DCMAKE_TOOLCHAIN_FILE=tools/aarch64.cmake -DZIG=/path/of/zig ...
#
# tools/test_aarch64.py does so, and names the emulator that ctest runs the tests in.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_TRY_COMPILE_PLATFORM_VARIABLES ZIG)
set(CMAKE_CXX_COMPILER ${ZIG} c++)
set(CMAKE_CXX_COMPILER_TARGET aarch64-linux-musl)
set(CMAKE_EXE_LINKER_FLAGS_INIT -static)
# zig's ar is a command of zig's, which CMake has no word for.
set(CMAKE_AR ${ZIG})
set(CMAKE_CXX_ARCHIVE_CREATE "<CMAKE_AR> ar qc <TARGET> <OBJECTS>")
set(CMAKE_CXX_ARCHIVE_FINISH "<CMAKE_AR> ranlib <TARGET>")
