# The toolchain of the preset `arm`: Debian's cross compiler and its libraries of arm64, and QEMU to run what was built.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_CXX_FLAGS_INIT -Wno-psabi)  # notes that GCC 10.1 passes some of Boost's arguments otherwise
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64)

# Headers alone, which are packaged for each machine but the same on all; xtensor's arm64 package cannot be installed beside.
set(xsimd_DIR /usr/lib/${CMAKE_HOST_SYSTEM_PROCESSOR}-linux-gnu/cmake/xsimd)
set(xtensor_DIR /usr/lib/${CMAKE_HOST_SYSTEM_PROCESSOR}-linux-gnu/cmake/xtensor)
