// What an op is in machine code.
#pragma once

#include <utility>

#include "autodiff/engine/registers.hpp"

namespace xgrad::engine {

// The lane values of elementwise.def, step by step.
class OpWriter {
 public:
  OpWriter(const Formula& formula, Registers& registers) : formula_(formula), r_(registers) {}

  // False: an op that is not here.
  bool operator()(int line) {
    const Formula::Line& l = formula_.lines[static_cast<std::size_t>(line)];
    const int x = l.in[0], y = l.in[1], z = l.in[2];
    r_.begin(line);
    switch (l.op) {
      case Op::add: return binary(Avx::add, line, x, y);
      case Op::sub: return binary(Avx::sub, line, x, y);
      case Op::mul: return binary(Avx::mul, line, x, y);
      case Op::div: return binary(Avx::div, line, x, y);
      case Op::square: return binary(Avx::mul, line, x, x);
      case Op::neg: return binary(Avx::bit_xor, line, x, r_.sign());
      case Op::abs: return binary(Avx::bit_and, line, x, r_.all_but_sign());
      case Op::reciprocal: return binary(Avx::div, line, r_.number(1), x);
      case Op::relu: return binary(Avx::max, line, r_.number(0), x);  // max gives the second where one is NaN
      case Op::logical_and: return binary(Avx::bit_and, line, x, y);
      case Op::logical_or: return binary(Avx::bit_or, line, x, y);
      case Op::logical_not: return binary(Avx::bit_xor, line, x, r_.all_bits());
      case Op::equal: return compare(Than::equal, line, x, y);
      case Op::not_equal: return compare(Than::not_equal, line, x, y);
      case Op::less: return compare(Than::less, line, x, y);
      case Op::less_equal: return compare(Than::less_equal, line, x, y);
      case Op::greater: return compare(Than::greater, line, x, y);
      case Op::greater_equal: return compare(Than::greater_equal, line, x, y);
      case Op::floor: return round(line, x, 1);
      case Op::ceil: return round(line, x, 2);
      case Op::round: return round(line, x, 0);
      case Op::sqrt: {
        const Operand from = r_.operand(x);
        r_.code().avx(Avx::sqrt, r_.result(line), 0, from);
        return done();
      }
      case Op::rsqrt: {
        const Operand from = r_.operand(x);
        const int one = r_.in_register(r_.number(1)), root = r_.scratch();
        r_.code().avx(Avx::sqrt, root, 0, from);
        r_.code().avx(Avx::div, r_.result(line), one, kernels::x86::vector(root));
        return done();
      }
      case Op::where: {
        if (y == z) return copy(line, y);
        const int mask = r_.in_register(x), no = r_.in_register(z);
        const Operand yes = r_.operand(y);
        r_.code().choose(r_.result(line), mask, yes, no);
        return done();
      }
      case Op::maximum:
      case Op::at_least: return extreme(Avx::max, line, x, y);
      case Op::minimum:
      case Op::at_most: return extreme(Avx::min, line, x, y);
      case Op::sign: {  // with the sign of x: 1, but x where that is 0 or NaN
        const int from = r_.in_register(x), one = r_.scratch(), apart = r_.scratch();
        const Operand sign = r_.operand(r_.sign()), zero = r_.operand(r_.number(0)), unit = r_.operand(r_.number(1));
        r_.code().compare(Than::different, apart, from, zero);
        r_.code().avx(Avx::bit_and, one, from, sign);
        r_.code().avx(Avx::bit_or, one, one, unit);
        r_.code().choose(r_.result(line), apart, kernels::x86::vector(one), from);
        return done();
      }
      case Op::leaky_relu: {
        const int from = r_.in_register(x), slanted = r_.scratch(), mask = r_.scratch();
        const Operand slope = r_.operand(y), zero = r_.operand(r_.number(0));
        r_.code().avx(Avx::mul, slanted, from, slope);
        r_.code().compare(Than::greater, mask, from, zero);
        r_.code().choose(r_.result(line), mask, kernels::x86::vector(from), slanted);
        return done();
      }
      case Op::lerp: {  // z < 0.5 ? x + z (y - x) : y - (1 - z) (y - x)
        const int a = r_.in_register(x), b = r_.in_register(y), part = r_.in_register(z);
        const int apart = r_.scratch(), low = r_.scratch(), high = r_.scratch(), one = r_.in_register(r_.number(1));
        const Operand half = r_.operand(r_.number(0.5));
        r_.code().avx(Avx::sub, apart, b, kernels::x86::vector(a));
        r_.code().avx(Avx::mul, low, part, kernels::x86::vector(apart));
        r_.code().avx(Avx::add, low, a, kernels::x86::vector(low));
        r_.code().avx(Avx::sub, high, one, kernels::x86::vector(part));
        r_.code().avx(Avx::mul, high, high, kernels::x86::vector(apart));
        r_.code().avx(Avx::sub, high, b, kernels::x86::vector(high));
        r_.code().compare(Than::less, apart, part, half);
        r_.code().choose(r_.result(line), apart, kernels::x86::vector(low), high);
        return done();
      }
      default: return false;
    }
  }

 private:
  using Avx = kernels::x86::Avx;
  using Operand = kernels::x86::Operand;
  using Than = kernels::x86::Than;

  bool done() {
    r_.end_of_line();
    return true;
  }
  bool binary(Avx op, int line, int x, int y) {
    if ((op == Avx::add || op == Avx::mul) && r_.is_in_memory(x)) std::swap(x, y);
    const int a = r_.in_register(x);
    const Operand b = r_.operand(y);
    r_.code().avx(op, r_.result_over(line), a, b);
    return done();
  }
  bool compare(Than than, int line, int x, int y) {
    const int a = r_.in_register(x);
    const Operand b = r_.operand(y);
    r_.code().compare(than, r_.result_over(line), a, b);
    return done();
  }
  bool round(int line, int x, int mode) {
    const Operand from = r_.operand(x);
    r_.code().round(r_.result_over(line), from, mode);
    return done();
  }
  bool copy(int line, int x) {
    const int a = r_.in_register(x);
    r_.code().avx(Avx::bit_or, r_.result_over(line), a, kernels::x86::vector(a));
    return done();
  }
  // x where that is NaN, else max(x, y), which is y where that is NaN or both are the same
  bool extreme(Avx op, int line, int x, int y) {
    if (is_plain_number(y)) return binary(op, line, y, x);
    if (is_plain_number(x)) return binary(op, line, x, y);
    const int a = r_.in_register(x), most = r_.scratch(), mask = r_.scratch();
    const Operand b = r_.operand(y);
    r_.code().avx(op, most, a, b);
    r_.code().compare(Than::unordered, mask, a, kernels::x86::vector(a));
    r_.code().choose(r_.result(line), mask, kernels::x86::vector(a), most);
    return done();
  }

  // Neither NaN nor 0, whose sign would count: the instruction's own rule is enough.
  bool is_plain_number(int x) const {
    return x >= Formula::first_number &&
           Formula::is_plain(formula_.numbers[static_cast<std::size_t>(x - Formula::first_number)]);
  }

  const Formula& formula_;
  Registers& r_;
};

}  // namespace xgrad::engine
