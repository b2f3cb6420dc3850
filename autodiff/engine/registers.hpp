// Which register each value of a formula is in, while its machine code is written line by line.
#pragma once

#include <algorithm>
#include <array>
#include <cstring>
#include <iterator>
#include <memory>
#include <vector>

#include "autodiff/engine/formula.hpp"
#include "autodiff/kernels/x86.hpp"

namespace xgrad::engine {

inline constexpr Size most_bytes = kernels::x86::bytes_of(kernels::x86::Width::bits_512);  // of a vector

// Numbers that code reads, each as a whole vector: a few that ops are made of, then the formula's own.
class Numbers {
 public:
  enum Made { sign, all_but_sign, all_bits, zero, half, one, made_count };
  static constexpr int first_made = 1 << 21;  // values of a formula are below

  explicit Numbers(const Formula& f)
      : dtype_(f.dtype), vectors_(new Vector[static_cast<std::size_t>(made_count) + f.numbers.size()]) {
    const bool wide = dtype_ == DType::f64;
    put(zero, 0.0), put(half, 0.5), put(one, 1.0), put(sign, -0.0);
    const std::uint64_t least = wide ? ~(std::uint64_t(1) << 63) : 0x7fffffff7fffffff;
    put_bits(all_but_sign, least), put_bits(all_bits, ~std::uint64_t(0));
  }
  void set(const std::vector<double>& numbers) {
    for (std::size_t i = 0; i < numbers.size(); ++i) put(static_cast<int>(i) + made_count, numbers[i]);
  }
  const char* data() const { return vectors_[0].bytes; }

  static std::int32_t offset(int value) {
    const int at = value >= first_made ? value - first_made : value - Formula::first_number + made_count;
    return static_cast<std::int32_t>(at * most_bytes);
  }

 private:
  struct alignas(most_bytes) Vector {
    char bytes[most_bytes];
  };
  void put(int at, double number) {
    std::uint64_t bits;
    if (dtype_ == DType::f64) {
      std::memcpy(&bits, &number, 8);
    } else {
      const float narrow = static_cast<float>(number);
      std::uint32_t once;
      std::memcpy(&once, &narrow, 4);
      bits = std::uint64_t(once) << 32 | once;
    }
    put_bits(at, bits);
  }
  void put_bits(int at, std::uint64_t bits) {
    for (int k = 0; k < most_bytes; k += 8) std::memcpy(vectors_[at].bytes + k, &bits, 8);
  }

  DType dtype_;
  std::unique_ptr<Vector[]> vectors_;
};

// What code finds around a loop over `index`, in bytes, up to `end`: operand k at pointers[k] + index, numbers at `numbers`.
namespace frame {
using namespace kernels::x86;
inline constexpr int numbers = rsi, index = rdx, end = rcx;
inline constexpr int pointers[] = {rax, r8, r9, r10, r11, rbx, rbp, r12, r13, r14, r15, rdi};
inline constexpr int most_operands = static_cast<int>(std::size(pointers));
inline constexpr int first_saved = 5, end_saved = 11;  // of those: the caller wants them back
inline constexpr int address = r15;                    // of operands whose pointers are in memory
}  // namespace frame

struct Frame {
  kernels::x86::Width width;
  int reserved = 0;                     // registers, the last ones, that are not the formula's
  int pointers = frame::most_operands;  // operands that have one in a register
  std::int32_t table = 0;               // of the others: pointer k at numbers + table + 8 k
  int spills_at = kernels::x86::rsp;    // where values go that find no register
  std::int32_t spills_from = 0;
};

// A line asks for its operands, then for scratch and for the place of its result, and says that it is done. A value whose
// last use is over gives its register back; where there is none left, the one that is needed last goes to memory.
class Registers {
 public:
  // kept: numbers that stay in registers all the time
  Registers(const Formula& f, const Frame& around, const std::vector<int>& kept)
      : f_(f),
        frame_(around),
        code_(f.dtype == DType::f64, around.width),
        values_(f.lines.size() + static_cast<std::size_t>(f.operands)),
        kept_(kept) {
    in_.fill(nobody);
    limit_ = kernels::x86::registers_of(around.width) - around.reserved - static_cast<int>(kept.size());
    // An op whose result nobody wants is not computed, and what it is made of is not used by it.
    for (const int line : f.results)
      if (line >= 0) value(line).used = true;
    for (std::size_t i = 0; i < f.lines.size(); ++i)
      if (f.lines[i].op == Op::sum) value(static_cast<int>(i)).used = true;
    for (std::size_t i = f.lines.size(); i-- > 0;) {
      if (!is_used(static_cast<int>(i))) continue;
      const Formula::Line& l = f.lines[i];
      for (int k = 0; k < l.inputs; ++k)
        if (l.in[k] < Formula::first_number && !is_copied(l, k)) {
          value(l.in[k]).used = true;
          value(l.in[k]).last = std::max(value(l.in[k]).last, static_cast<int>(i));
        }
    }
  }

  kernels::x86::Code& code() { return code_; }
  const kernels::x86::Code& code() const { return code_; }
  bool is_used(int line) const { return values_[static_cast<std::size_t>(f_.operands + line)].used; }
  static int number(double x) {
    return Numbers::first_made + (x == 0 ? Numbers::zero : x == 1 ? Numbers::one : Numbers::half);
  }
  static int sign() { return Numbers::first_made + Numbers::sign; }
  static int all_but_sign() { return Numbers::first_made + Numbers::all_but_sign; }
  static int all_bits() { return Numbers::first_made + Numbers::all_bits; }

  // Vector `part` of those that an iteration works on, one after the other; the first one has begun.
  void begin_part(int part) {
    part_ = part, line_ = 0;
    for (Value& v : values_) v.overwritten = false, v.in = -1, v.spilled = -1;
    in_.fill(nobody);
    spills_ = 0;
  }
  void begin(int line) { line_ = line; }
  bool is_in_memory(int id) const { return id >= Formula::first_number && register_of_number(id) < 0; }
  int in_register(int id) {
    int r = id >= Formula::first_number ? register_of_number(id) : value(id).in;
    if (r < 0) {
      r = take(id);
      code_.load(r, place(id));
    }
    busy_ |= 1u << r;
    return r;
  }
  kernels::x86::Operand operand(int id) {
    if (id >= Formula::first_number && register_of_number(id) < 0) return place(id);
    if (id < Formula::first_number && value(id).in < 0 && value(id).last == line_ && has_pointer(id)) return place(id);
    return kernels::x86::vector(in_register(id));
  }
  int scratch() {
    const int r = take(temporary);
    busy_ |= 1u << r;
    return r;
  }
  // While the operands are still needed; and where one instruction reads them as it writes.
  int result(int line) {
    const int r = take(line);
    busy_ |= 1u << r;
    return r;
  }
  int result_over(int line) {
    free_what_ended();
    busy_ = 0;
    return result(line);
  }
  void end_of_line() {
    busy_ = value(line_).in < 0 ? 0 : 1u << value(line_).in;
    for (int r = 0; r < limit_; ++r)
      if (in_[at(r)] == temporary || in_[at(r)] >= Formula::first_number) in_[at(r)] = nobody;
    free_what_ended();
    for (int k = 0; k < f_.operands; ++k) {
      if (f_.results[static_cast<std::size_t>(k)] != line_) continue;
      Value& before = value(-1 - k);
      if (before.last > line_ && before.in < 0 && before.spilled < 0) (void)in_register(-1 - k);
      code_.store(place_of_operand(k), value(line_).in);
      before.overwritten = true;
    }
    busy_ = 0;
    free_what_ended(true);
  }

  // Where it lies in memory.
  kernels::x86::Operand place(int id) {
    if (id >= Formula::first_number) return kernels::x86::memory(frame::numbers, number_offset(id));
    const Value& v = value(id);
    if (v.spilled < 0) return place_of_operand(-1 - id);
    return kernels::x86::memory(frame_.spills_at, frame_.spills_from + v.spilled * vector_bytes());
  }

  int vector_bytes() const { return kernels::x86::bytes_of(frame_.width); }
  int register_of_kept(std::size_t i) const { return limit_ + static_cast<int>(i); }
  int spills() const { return most_spills_; }
  // Numbers for the registers that the lines have left, most read first: for a second pass that keeps them.
  std::vector<int> numbers_to_keep() const {
    std::vector<int> ids = read_numbers();
    ids.resize(std::min(ids.size(), static_cast<std::size_t>(limit_ - touched_)));
    return ids;
  }
  std::vector<int> read_numbers() const {  // most read first
    std::vector<int> ids;
    for (const auto& [id, times] : reads_) ids.push_back(id);
    std::stable_sort(ids.begin(), ids.end(), [&](int a, int b) { return times_read(a) > times_read(b); });
    return ids;
  }

 private:
  struct Value {
    bool used = false, overwritten = false;
    int last = -1;     // line that reads it
    int in = -1;       // register
    int spilled = -1;  // on the stack
  };
  static constexpr int nobody = -1000000, temporary = -1000001;

  static std::size_t at(int r) { return static_cast<std::size_t>(r); }
  std::size_t of(int id) const { return static_cast<std::size_t>(id < 0 ? -1 - id : f_.operands + id); }
  Value& value(int id) { return values_[of(id)]; }
  const Value& value(int id) const { return values_[of(id)]; }
  static bool is_copied(const Formula::Line& l, int k) { return l.op == Op::where && k == 0 && l.in[1] == l.in[2]; }

  bool has_pointer(int id) const { return id >= 0 || value(id).spilled >= 0 || -1 - id < frame_.pointers; }
  kernels::x86::Operand place_of_operand(int k) {
    int pointer = frame::address;
    if (k < frame_.pointers) pointer = frame::pointers[k];
    else code_.load_address(pointer, frame::numbers, frame_.table + 8 * k);
    return kernels::x86::indexed(pointer, frame::index, part_ * vector_bytes());
  }

  int register_of_number(int id) const {
    const auto kept = std::find(kept_.begin(), kept_.end(), id);
    if (kept != kept_.end()) return limit_ + static_cast<int>(kept - kept_.begin());
    const auto loaded = std::find(in_.begin(), in_.begin() + limit_, id);
    return loaded != in_.begin() + limit_ ? static_cast<int>(loaded - in_.begin()) : -1;
  }
  std::int32_t number_offset(int id) {
    const auto found = std::find_if(reads_.begin(), reads_.end(), [&](const auto& read) { return read.first == id; });
    if (found == reads_.end()) reads_.emplace_back(id, 1);
    else ++found->second;
    return Numbers::offset(id);
  }
  int times_read(int id) const {
    return std::find_if(reads_.begin(), reads_.end(), [&](const auto& read) { return read.first == id; })->second;
  }

  // A register for a value, a number or scratch.
  int take(int id) {
    int r = 0;
    while (r < limit_ && in_[at(r)] != nobody) ++r;
    if (r == limit_) r = evict();
    touched_ = std::max(touched_, r + 1);
    in_[at(r)] = id;
    if (id < Formula::first_number && id > nobody) value(id).in = r;
    return r;
  }
  int evict() {
    int best = -1;
    for (int r = 0; r < limit_; ++r) {
      if (busy_ >> r & 1 || in_[at(r)] == temporary) continue;
      if (best < 0 || next_use(in_[at(r)]) > next_use(in_[at(best)])) best = r;
    }
    const int id = in_[at(best)];
    if (id < Formula::first_number) {
      Value& v = value(id);
      const bool in_place = id < 0 && !v.overwritten;
      if (!in_place && v.spilled < 0) {
        v.spilled = spills_++;
        most_spills_ = std::max(most_spills_, spills_);
        code_.store(place(id), best);
      }
      v.in = -1;
    }
    return best;
  }
  int next_use(int id) const {
    if (id >= Formula::first_number) return 1 << 30;  // is loaded again
    for (std::size_t i = static_cast<std::size_t>(line_) + 1; i < f_.lines.size(); ++i)
      if (is_used(static_cast<int>(i)))
        for (int k = 0; k < f_.lines[i].inputs; ++k)
          if (f_.lines[i].in[k] == id) return static_cast<int>(i);
    return 1 << 29;
  }
  void free_what_ended(bool after_store = false) {
    for (int r = 0; r < limit_; ++r) {
      const int id = in_[at(r)];
      if (id == nobody || id == temporary || id >= Formula::first_number) continue;
      Value& v = value(id);
      if (v.last > line_ || (id == line_ && !after_store)) continue;
      v.in = -1;
      in_[at(r)] = nobody;
    }
  }

  const Formula& f_;
  Frame frame_;
  kernels::x86::Code code_;  // of the loop's body
  std::vector<Value> values_;
  std::vector<int> kept_;
  std::vector<std::pair<int, int>> reads_;  // numbers in memory, and how often they are read
  std::array<int, 32> in_;                  // what is in them
  unsigned busy_ = 0;                       // those that the line works with
  int limit_, touched_ = 0, part_ = 0, line_ = 0, spills_ = 0, most_spills_ = 0;
};

}  // namespace xgrad::engine
