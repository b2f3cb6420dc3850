// What machine code is written with, on x86-64: AVX instructions on vectors of 256 bits, and the few others that a loop needs.
// Intel's manual, volume 2: "Instruction format", "VEX prefix". Nothing here runs anything.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

namespace xgrad::kernels::x86 {

// General registers, by their numbers in instructions.
enum Reg : int { rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15 };

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
  explicit Code(bool of_doubles) : pp_(of_doubles) {}

  const std::vector<std::uint8_t>& bytes() const { return bytes_; }
  void append(const Code& more) {
    bytes_.insert(bytes_.end(), more.bytes_.begin(), more.bytes_.end());
  }  // without jumps
  std::size_t here() const { return bytes_.size(); }

  // to = x op y; of one operand: to = op y, x = 0
  void avx(Avx op, int to, int x, const Operand& y) { vex(1, pp_, static_cast<std::uint8_t>(op), to, x, y); }
  void load(int to, const Operand& from) { avx(Avx::load, to, 0, from); }
  void store(const Operand& to, int from) { avx(Avx::store, from, 0, to); }
  void compare(Than than, int to, int x, const Operand& y) {
    avx(Avx::compare, to, x, y), byte(static_cast<int>(than));
  }
  void round(int to, const Operand& x, int mode) {
    vex(3, 1, static_cast<std::uint8_t>(0x08 + pp_), to, 0, x), byte(mode);
  }
  // to = mask ? x : y, lane by lane
  void choose(int to, int mask, const Operand& x, int y) {
    vex(3, 1, static_cast<std::uint8_t>(0x4a + pp_), to, y, x), byte(mask << 4);
  }
  void spread(int to, int base) {  // one number, at [base], to all lanes; base not rsp or r12
    vex(2, 1, static_cast<std::uint8_t>(0x18 + pp_), to, 0, memory(base, 0));
  }
  void zero_upper() { byte(0xc5), byte(0xf8), byte(0x77); }

  // clang-format off
  void push(int r) { if (r >= 8) byte(0x41); byte(0x50 + (r & 7)); }
  void pop(int r) { if (r >= 8) byte(0x41); byte(0x58 + (r & 7)); }
  // clang-format on
  void load_address(int to, int base, std::int32_t offset) {  // to = [base + offset], base not rsp or r12
    byte(0x48 | (to >> 3) << 2 | base >> 3), byte(0x8b), byte(0x80 | (to & 7) << 3 | (base & 7)), word(offset);
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
  void vex(int map, int pp, std::uint8_t opcode, int reg, int x, const Operand& y) {
    const int rm = y.vector >= 0 ? y.vector : y.base, index = y.index >= 0 ? y.index : 0;
    byte(0xc4);
    byte((~reg & 8) << 4 | (~index & 8) << 3 | (~rm & 8) << 2 | map);
    byte((~x & 15) << 3 | 4 | pp);
    byte(opcode);
    const int r = (reg & 7) << 3;
    if (y.vector >= 0) return byte(0xc0 | r | (rm & 7));
    if (y.index >= 0) {
      const bool near = y.offset >= -128 && y.offset < 128;
      byte((near ? 0x44 : 0x84) | r), byte((index & 7) << 3 | (rm & 7));
      return near ? byte(y.offset) : word(y.offset);
    }
    byte(0x80 | r | (rm & 7));
    if ((rm & 7) == 4) byte(0x24);
    word(y.offset);
  }

  std::vector<std::uint8_t> bytes_;
  int pp_;
};

}  // namespace xgrad::kernels::x86
