// Random numbers: the same bits on every instruction set and machine. Each row's hash is fixed: a model's start must not
// depend on where it runs, nor change with the library.
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include <xgrad/autodiff.hpp>
#include <xgrad/autodiff/memory.hpp>
#include "autodiff/kernels/simd.hpp"
#include <xgrad/data.hpp>
#include "data/same_bits.hpp"
#include <xgrad/nn.hpp>

using namespace xgrad;

namespace {

// FNV-1a (Fowler, Noll, Vo)
std::uint64_t hash_of(const void* bytes, std::size_t n, std::uint64_t h = 0xcbf29ce484222325ull) {
  for (std::size_t i = 0; i < n; ++i) h = (h ^ static_cast<const unsigned char*>(bytes)[i]) * 0x100000001b3ull;
  return h;
}
std::uint64_t hash_of(const Tensors& list) {
  std::uint64_t h = 0xcbf29ce484222325ull;
  for (const Tensor& t : list) {
    const Tensor c = contiguous(t);
    h = hash_of(readable(c), static_cast<std::size_t>(c.numel() * item_size(c.dtype())), h);
  }
  return h;
}

struct Net {
  nn::Linear a{37, 53}, b{53, 11};
  XGRAD_FIELDS(a, b)
};

struct Row {
  const char* name;
  std::uint64_t hash;
  std::function<Tensors()> draw;
};
Tensor weight(const std::function<void(Parameter&)>& fill) {
  Parameter p = parameter(zeros({40, 70}));
  fill(p);
  return p.value();
}
// clang-format off
const Row rows[] = {
    {"rand f32", 0x99e1ee000fb4d150, [] { return Tensors{rand({10'007}, f32)}; }},
    {"rand f64", 0x97538a1406a2ceee, [] { return Tensors{rand({10'007}, f64)}; }},
    {"randn f32", 0x402f7147d57b887c, [] { return Tensors{randn({100'003}, f32)}; }},
    {"randn f64", 0x70f7f8da9ee595f3, [] { return Tensors{randn({100'003}, f64)}; }},
    {"randint", 0x4489596ce08aad65, [] { return Tensors{randint(-5, 1'000'003, {10'007})}; }},
    {"randperm", 0x0c188abeea2b9a8f, [] { return Tensors{randperm(5'003)}; }},
    {"Linear", 0xcdda7d90dd8e9c0b, [] {
       Net net;
       return Tensors{net.a.weight, net.a.bias, net.b.weight, net.b.bias};
     }},
    {"Dropout", 0x652a354f23806075, [] { return Tensors{nn::Dropout{}(ones({3'001}))}; }},
    {"init::normal", 0x4bf5150dcfcc7d3c, [] { return Tensors{weight([](Parameter& p) { nn::init::normal(p, 0.3, 1.7); })}; }},
    {"init::uniform", 0x99c3a0cc494a412d, [] { return Tensors{weight([](Parameter& p) { nn::init::uniform(p, -0.3, 1.7); })}; }},
    {"init::xavier_uniform", 0xd59d5fad8c460935, [] { return Tensors{weight([](Parameter& p) { nn::init::xavier_uniform(p); })}; }},
    {"init::xavier_normal", 0x1a1d02b9eb62827d, [] { return Tensors{weight([](Parameter& p) { nn::init::xavier_normal(p); })}; }},
    {"init::kaiming_uniform", 0x4dcdeeb0d75f7dda, [] { return Tensors{weight([](Parameter& p) { nn::init::kaiming_uniform(p); })}; }},
    {"init::kaiming_normal", 0x1cb7d113e424222d, [] { return Tensors{weight([](Parameter& p) { nn::init::kaiming_normal(p); })}; }},
    {"spirals", 0x36e323ff3531b0e7, [] {
       const data::Dataset d = data::spirals({.points_per_class = 700, .noise = 0.2, .seed = 3});
       return Tensors{d.inputs, d.labels};
     }},
    {"moons", 0x3bbd70185bd1bbd0, [] { return Tensors{data::moons({.points_per_class = 700, .noise = 0.2, .seed = 3}).inputs}; }},
    {"circles", 0x907d61b6eda242e2, [] { return Tensors{data::circles({.points_per_class = 700, .noise = 0.2, .seed = 3}).inputs}; }},
    {"digits", 0x15ccf07b2ac3c987, [] {
       const data::Dataset d = data::digits({.seed = 3});
       return Tensors{d.inputs, d.labels};
     }},
    {"shuffled", 0xd7e6b24c5ca42103, [] {
       return Tensors{data::shuffled({cast(arange(501), f32), arange(501)}, 9).inputs};
     }},
};
// clang-format on

std::uint64_t drawn(const Row& row) {
  manual_seed(7);
  return hash_of(row.draw());
}

}  // namespace

BOOST_AUTO_TEST_CASE(each_draw_has_its_fixed_bits) {
  for (const Row& row : rows) BOOST_TEST(drawn(row) == row.hash, fmt::format("{}: 0x{:016x}", row.name, drawn(row)));
}

// Run in a process of its own for each instruction set, and without what the system's mathematics chooses by processor.
BOOST_AUTO_TEST_CASE(on_every_instruction_set) {
  const char* cases[][2] = {{"XGRAD_SIMD", "sse2"},
                            {"XGRAD_SIMD", "avx2"},
                            {"XGRAD_SIMD", "avx512"},
                            {"GLIBC_TUNABLES", "glibc.cpu.hwcaps=-AVX2,-AVX2_Usable,-FMA,-FMA_Usable,-FMA4,-AVX512F"}};
  for (const auto& [variable, value] : cases) {
    if (std::string(variable) == "XGRAD_SIMD" && !kernels::simd(value)) continue;
    const pid_t child = ::fork();
    if (child == 0) {
      ::setenv(variable, value, 1);
      ::execl("/proc/self/exe", "random_test", "--run_test=each_draw_has_its_fixed_bits", static_cast<char*>(nullptr));
      ::_exit(99);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    BOOST_TEST(status == 0, variable << "=" << value);
  }
}

BOOST_AUTO_TEST_CASE(kernels_of_all_instruction_sets_agree) {
  const kernels::Simd* base = kernels::simd("sse2");
  if (!base) return;
  constexpr Size n = 1 << 20;
  for (const char* name : {"avx2", "avx512"}) {
    const kernels::Simd* other = kernels::simd(name);
    if (!other) continue;
    for (int wide = 0; wide < 2; ++wide) {
      std::vector<double> a(n), b(n);
      for (std::uint64_t counter : {0ull, 12345ull}) {
        base->normal[wide](a.data(), 0, n, 99, counter);
        other->normal[wide](b.data(), 0, n, 99, counter);
        BOOST_TEST(std::memcmp(a.data(), b.data(), n * (wide ? 8 : 4)) == 0, name);
        base->uniform[wide](a.data(), 0, n, 99, counter);
        other->uniform[wide](b.data(), 0, n, 99, counter);
        BOOST_TEST(std::memcmp(a.data(), b.data(), n * (wide ? 8 : 4)) == 0, name);
      }
    }
  }
}

// The functions behind made data are right to a few ulp.
BOOST_AUTO_TEST_CASE(log_and_circle) {
  double worst_log = 0, worst_circle = 0;
  for (int i = 1; i < 200'000; ++i) {
    const double x = i * 7.3e-6;
    worst_log = std::max(worst_log, std::abs(data::same_log(x) - std::log(x)) / std::max(1e-3, std::abs(std::log(x))));
    const auto [c, s] = data::on_circle(x - 0.7);
    const long double angle = 2 * 3.14159265358979323846264338327950288L * static_cast<long double>(x - 0.7);
    worst_circle = std::max({worst_circle, std::abs(c - static_cast<double>(std::cos(angle))),
                             std::abs(s - static_cast<double>(std::sin(angle)))});
  }
  BOOST_TEST(worst_log < 1e-15);
  BOOST_TEST(worst_circle < 5e-16);
}

// What a program draws does not depend on its model, nor a model on what was drawn before.
BOOST_AUTO_TEST_CASE(layers_draw_from_a_stream_of_their_own) {
  manual_seed(3);
  const Tensor alone = randn({8});
  const nn::Linear first(4, 4);
  const nn::Embedding table(4, 4);
  manual_seed(3);
  const nn::Linear again(4, 4);
  const nn::Embedding same(4, 4);
  BOOST_TEST(hash_of({alone}) == hash_of({randn({8})}));
  BOOST_TEST(hash_of({first.weight, first.bias, table.weight}) == hash_of({again.weight, again.bias, same.weight}));
  BOOST_TEST(hash_of({nn::Linear(4, 4).weight}) != hash_of({first.weight}));
  manual_seed(3);
  BOOST_TEST(hash_of({randn({4, 4})}) != hash_of({table.weight}));
}
