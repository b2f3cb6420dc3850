// What machine code is written with, on x86-64: AVX instructions on vectors of 256 or 512 bits, and the few others that a loop
// needs. Intel's manual, volume 2: "Instruction format", "VEX prefix", "EVEX prefix". Nothing here runs anything.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

namespace xgrad::kernels::x86 {

// General registers, by their numbers in instructions.
enum Reg : int { rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15 };

// Of vectors: registers ymm0 to ymm15 (AVX2), or zmm0 to zmm31 (AVX-512 with DQ).
enum class Width { bits_256, bits_512 };
constexpr int bytes_of(Width w) { return w == Width::bits_512 ? 64 : 32; }
constexpr int registers_of(Width w) { return w == Width::bits_512 ? 32 : 16; }

// A vector in a register, or in memory at base + index + offset.
struct Operand {
  int vector = -1;
  int base = -1, index = -1;  // no index: -1
  std::int32_t offset = 0;
};
inline Operand vector(int number) { return {number}; }
inline Operand memory(int base, std::int32_t offset) { return {-1, base, -1, offset}; }
inline Operand indexed(int base, int index, std::int32_t offset = 0) { return {-1, base, index, offset}; }

// Opcodes of map 0F, "packed single"; packed double has the prefix 66.
// clang-format off
enum class Avx : std::uint8_t {
  load = 0x10, store = 0x11, sqrt = 0x51, bit_and = 0x54, bit_or = 0x56, bit_xor = 0x57,
  add = 0x58, mul = 0x59, sub = 0x5c, min = 0x5d, div = 0x5e, max = 0x5f, compare = 0xc2,
};
// Predicates of compare, none of which signals. NaN is equal to nothing.
enum class Than : std::uint8_t { equal = 0x00, not_equal = 0x04, less = 0x11, less_equal = 0x12, unordered = 0x03,
                                 different = 0x0c, greater_equal = 0x1d, greater = 0x1e };  // different: and no NaN
// clang-format on

class Code {
 public:
  Code(bool of_doubles, Width width) : of_doubles_(of_doubles), width_(width) {}

  Width width() const { return width_; }

  const std::vector<std::uint8_t>& bytes() const { return bytes_; }
  void append(const Code& more) {
    bytes_.insert(bytes_.end(), more.bytes_.begin(), more.bytes_.end());
  }  // without jumps
  std::size_t here() const { return bytes_.size(); }

  // to = x op y; of one operand: to = op y, x = 0
  void avx(Avx op, int to, int x, const Operand& y) {
    code(1, of_doubles_, static_cast<int>(op), to, x, y);
    if (op != Avx::store && to == in_k1_) in_k1_ = -1;
  }
  void load(int to, const Operand& from) { avx(Avx::load, to, 0, from); }
  void store(const Operand& to, int from) { avx(Avx::store, from, 0, to); }
  // All bits of a lane where it is so, else none.
  void compare(Than than, int to, int x, const Operand& y) {
    code(1, of_doubles_, static_cast<int>(Avx::compare), to_mask(to), x, y), byte(static_cast<int>(than));
    if (width_ == Width::bits_256) return;
    code(2, spread_mask, 0x38, to, 0, vector(k1));
    in_k1_ = to;
  }
  void round(int to, const Operand& x, int mode) {
    code(3, 1, 0x08 + of_doubles_, to, 0, x), byte(mode);
    if (to == in_k1_) in_k1_ = -1;
  }
  // to = mask ? x : y, lane by lane
  void choose(int to, int mask, const Operand& x, int y) {
    if (width_ == Width::bits_256) return code(3, 1, 0x4a + of_doubles_, to, y, x), byte(mask << 4);
    if (mask != in_k1_) code(2, spread_mask, 0x39, k1, 0, vector(mask));
    in_k1_ = mask == to ? -1 : mask;
    code(2, 1, 0x65, to, y, x, k1);
  }
  void spread(int to, int base) {  // one number, at [base], to all lanes; base not rsp or r12
    code(2, 1, 0x18 + of_doubles_, to, 0, memory(base, 0));
    if (to == in_k1_) in_k1_ = -1;
  }
  void zero_upper() { byte(0xc5), byte(0xf8), byte(0x77); }

  // clang-format off
  void push(int r) { if (r >= 8) byte(0x41); byte(0x50 + (r & 7)); }
  void pop(int r) { if (r >= 8) byte(0x41); byte(0x58 + (r & 7)); }
  // clang-format on
  void load_address(int to, int base, std::int32_t offset) {  // to = [base + offset], base not rsp or r12
    byte(0x48 | (to >> 3) << 2 | base >> 3), byte(0x8b), byte(0x80 | (to & 7) << 3 | (base & 7)), word(offset);
  }
  void store_address(int base, std::int32_t offset, int from) {  // [base + offset] = from, base as above
    byte(0x48 | (from >> 3) << 2 | base >> 3), byte(0x89), byte(0x80 | (from & 7) << 3 | (base & 7)), word(offset);
  }
  void load_address(int to, const void* address) {
    byte(0x48 | to >> 3), byte(0xb8 | (to & 7));
    std::uint8_t b[8];
    std::memcpy(b, &address, 8);
    bytes_.insert(bytes_.end(), b, b + 8);
  }
  void add(int to, std::int32_t number) { byte(0x48 | to >> 3), byte(0x81), byte(0xc0 | (to & 7)), word(number); }
  void copy(int to, int x) { byte(0x48 | (x >> 3) << 2 | to >> 3), byte(0x89), byte(0xc0 | (x & 7) << 3 | (to & 7)); }
  void add_register(int to, int x) {
    byte(0x48 | (x >> 3) << 2 | to >> 3), byte(0x01), byte(0xc0 | (x & 7) << 3 | (to & 7));
  }
  void subtract_register(int to, int x) {
    byte(0x48 | (x >> 3) << 2 | to >> 3), byte(0x29), byte(0xc0 | (x & 7) << 3 | (to & 7));
  }
  void round_down(int to, int power) {  // to a multiple of a power of two up to 128
    byte(0x48 | to >> 3), byte(0x83), byte(0xe0 | (to & 7)), byte(-power);
  }
  void shift_left(int to, int bits) { byte(0x48 | to >> 3), byte(0xc1), byte(0xe0 | (to & 7)), byte(bits); }
  void compare(int x, int y) { byte(0x48 | (y >> 3) << 2 | x >> 3), byte(0x39), byte(0xc0 | (y & 7) << 3 | (x & 7)); }
  void jump_if_not_equal(std::size_t where) {
    byte(0x0f), byte(0x85), word(static_cast<std::int32_t>(where) - static_cast<std::int32_t>(here() + 4));
  }
  void ret() { byte(0xc3); }

 private:
  void byte(int b) { bytes_.push_back(static_cast<std::uint8_t>(b)); }
  void word(std::int32_t w) {
    std::uint8_t b[4];
    std::memcpy(b, &w, 4);
    bytes_.insert(bytes_.end(), b, b + 4);
  }
  // pp: the prefix that is part of it: 0: none, 1: 66, 2: F3. mask: 0: all lanes
  void code(int map, int pp, int opcode, int reg, int x, const Operand& y, int mask = 0) {
    const int rm = y.vector >= 0 ? y.vector : y.base, index = y.index >= 0 ? y.index : 0;
    const int b = (~reg & 8) << 4 | (~rm & 8) << 2, v = (~x & 15) << 3 | 4 | pp;
    if (width_ == Width::bits_256) {
      byte(0xc4), byte(b | (~index & 8) << 3 | map), byte(v);
    } else {
      const int x_bit = y.vector >= 0 ? (~rm & 16) << 2 : (~index & 8) << 3;
      byte(0x62), byte(b | x_bit | (~reg & 16) | map), byte(of_doubles_ << 7 | v);
      byte(0x40 | (~x & 16) >> 1 | mask);
    }
    byte(opcode);
    const int r = (reg & 7) << 3;
    if (y.vector >= 0) return byte(0xc0 | r | (rm & 7));
    // a byte of offset counts vectors where these have 512 bits
    const int unit = width_ == Width::bits_512 ? bytes_of(width_) : 1, parts = y.offset / unit;
    const bool near = y.index >= 0 && y.offset % unit == 0 && parts >= -128 && parts < 128;
    const int mod = near ? 0x40 : 0x80;
    if (y.index >= 0) byte(mod | 4 | r), byte((index & 7) << 3 | (rm & 7));
    else byte(mod | r | (rm & 7));
    if (y.index < 0 && (rm & 7) == 4) byte(0x24);
    if (near) return byte(parts);
    word(y.offset);
  }
  int to_mask(int to) const { return width_ == Width::bits_512 ? k1 : to; }

  static constexpr int k1 = 1, spread_mask = 2;

  std::vector<std::uint8_t> bytes_;
  bool of_doubles_;
  Width width_;
  int in_k1_ = -1;  // the vector whose lanes the mask register k1 is of; -1: none
};

}  // namespace xgrad::kernels::x86
