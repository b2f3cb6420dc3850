// Long chains, long trainings, long lives: no recursion, flat memory, and work that does not grow with what is
// recorded.
#include <pthread.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <cmath>
#include <exception>
#include <functional>
#include <stdexcept>
#include <vector>

#include <xgrad/autodiff.hpp>
#include <xgrad/data.hpp>
#include "helpers.hpp"
#include <xgrad/nn.hpp>
#include <xgrad/optim.hpp>
#include <xgrad/training.hpp>

using namespace xgrad;
using namespace helpers;

namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int slower = 10;  // a sanitizer's frames and memory are several times the size
constexpr std::size_t small_stack = 1024 * 1024;
#else
constexpr int slower = 1;
constexpr std::size_t small_stack = 256 * 1024;
#endif
constexpr int million = 1'000'000 / slower;

// Runs f on a thread whose stack a recursion of even 32 bytes a node would overflow.
void on_a_small_stack(const std::function<void()>& f) {
  struct Job {
    const std::function<void()>& f;
    std::exception_ptr error;
  } job{f, nullptr};
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, small_stack);
  pthread_t thread;
  const int failed = pthread_create(
      &thread, &attributes,
      [](void* p) -> void* {
        Job& own = *static_cast<Job*>(p);
        try {
          own.f();
        } catch (...) {
          own.error = std::current_exception();
        }
        return nullptr;
      },
      &job);
  if (failed != 0) throw std::runtime_error("no thread");  // Boost's checks are not for two threads at once
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&attributes);
  if (job.error) std::rethrow_exception(job.error);
}

// Runs `step` until the pools are warm and then 10^5 times: nothing may have grown.
void check_flat(const char* what, const std::function<void()>& step, int steps = 100'000 / slower) {
  for (int i = 0; i < steps / 20; ++i) step();
  const Counters before = counters();
  const Size resident = resident_bytes();
  for (int i = 0; i < steps; ++i) step();
  const Counters after = counters();
  BOOST_TEST_CONTEXT(what) {
    BOOST_TEST(after.bytes == before.bytes);
    BOOST_TEST(after.taped == before.taped);
    BOOST_TEST(after.pending == before.pending);
    if (slower == 1) BOOST_TEST(resident_bytes() <= resident + (Size{8} << 20));  // a few huge pages
  }
}

}  // namespace

// ---- long chains

BOOST_AUTO_TEST_CASE(a_million_op_chain_differentiates_and_frees_itself) {
  on_a_small_stack([] {
    Parameter w = parameter(1.0);
    const auto before = counters();
    {
      Tensor h = w;
      for (int i = 0; i < million / 2; ++i) h = h * 0.999999 + w;
      BOOST_TEST(counters().taped == before.taped + 2 * (million / 2));
      h.backward();
      // h = w (q^n + (1 - q^n) / (1 - q))
      const double q = 0.999999, power = std::pow(q, million / 2);
      BOOST_TEST(w.grad().item() == power + (1 - power) / (1 - q), boost::test_tools::tolerance(1e-9));
      BOOST_TEST(counters().taped == before.taped);
    }
    BOOST_TEST(counters().taped == before.taped);
  });
}

BOOST_AUTO_TEST_CASE(a_forgotten_million_op_chain_frees_itself) {
  on_a_small_stack([] {
    Parameter w = parameter(1.0);
    const auto before = counters();
    Tensor h = w;
    for (int i = 0; i < million; ++i) h = sin(h);
    BOOST_TEST(counters().taped == before.taped + million);
    h = Tensor();
    BOOST_TEST(counters().taped == before.taped);
    BOOST_TEST(counters().bytes == before.bytes);
  });
}

BOOST_AUTO_TEST_CASE(a_long_chain_of_gradients_of_gradients) {
  on_a_small_stack([] {
    Parameter w = parameter(0.5);
    const auto before = counters();
    {
      Tensor h = w;
      for (int i = 0; i < million / 10; ++i) h = h * w + 0.25;
      const Tensor g = grad(h, {w}, {.create_graph = true})[0];  // h tends to 1 / (4 (1 - w))
      const Tensor second = grad(g, {w})[0];
      BOOST_TEST(g.item() == 1, boost::test_tools::tolerance(1e-9));
      BOOST_TEST(second.item() == 4, boost::test_tools::tolerance(1e-9));
      const Jvp along = jvp(
          [](const Tensor& x) {
            Tensor y = x;
            for (int i = 0; i < million / 10; ++i) y = y * x + 0.25;
            return y;
          },
          0.5, 1.0);
      BOOST_TEST(along.tangent.item() == 1, boost::test_tools::tolerance(1e-9));
    }
    BOOST_TEST(counters().taped == before.taped);
  });
}

// Larger than what is computed at once, every value held: pending in thousands, stored, let go of from either end.
BOOST_AUTO_TEST_CASE(a_kept_chain_of_large_tensors) {
  on_a_small_stack([] {
    constexpr int length = 30'000 / slower;
    const auto before = counters();
    for (const bool oldest_first : {true, false}) {
      Parameter w = parameter(full({1030}, 0.5f));
      std::vector<Tensor> kept{w};
      kept.reserve(length + 1);
      for (int i = 0; i < length; ++i) kept.push_back(kept.back() * w + 0.25f);
      sum(kept.back()).backward();
      BOOST_TEST(w.grad()[7].item() == 1, boost::test_tools::tolerance(1e-4));
      BOOST_TEST(kept[length / 2][1029].item() == 0.5, boost::test_tools::tolerance(1e-4));
      if (oldest_first) std::reverse(kept.begin(), kept.end());
      while (!kept.empty()) kept.pop_back();
      w = Parameter();
    }
    BOOST_TEST(counters().taped == before.taped);
    BOOST_TEST(counters().bytes == before.bytes);
  });
}

BOOST_AUTO_TEST_CASE(long_chains_of_other_kinds) {
  on_a_small_stack([] {
    const auto before = counters();
    {
      Parameter w = parameter(ones({4, 6}));
      Tensor views = w, joined = w, assigned = w;
      Parameter state = parameter(ones({4}));
      for (int i = 0; i < million / 20; ++i) {
        views = reshape(transpose(slice(views, 0, 0)), {4, 6});
        joined = slice(concat({joined, joined, joined, joined}), 0, 2, 6);  // more inputs than a node holds inline
        state = state * 0.5f + 1.0f;                                        // a variable lets go of each history
        assigned += 1.0f;
      }
      sum(views * joined + assigned).backward();
      BOOST_TEST(w.grad().shape() == w.shape());
      BOOST_TEST(amax(state).item() == 2, boost::test_tools::tolerance(1e-6));
    }
    BOOST_TEST(counters().taped == before.taped);
    BOOST_TEST(counters().bytes == before.bytes);
  });
}

BOOST_AUTO_TEST_CASE(a_chain_let_go_of_on_another_thread) {
  Parameter w = parameter(1.0);
  const auto before = counters();
  {
    Tensor h = w;
    for (int i = 0; i < million / 4; ++i) h = tanh(h);
    on_a_small_stack([last = std::exchange(h, Tensor())]() mutable { last = Tensor(); });
  }
  (w + 1.0).item();  // this thread sees to what another let go of when it records next
  BOOST_TEST(counters().taped <= before.taped + 1);
}

// ---- long trainings

namespace {

struct Net {
  nn::Linear hidden{2, 8}, output{8, 2};
  Tensor operator()(const Tensor& x) const { return output(tanh(hidden(x))); }
  XGRAD_FIELDS(hidden, output)
};

}  // namespace

BOOST_AUTO_TEST_CASE(trainings_stay_flat) {
  const Tensor x = evaluate(randn({8, 2})), labels = randint(0, 2, {8});
  Net net;
  optim::Adam optimizer(nn::parameters(net));
  check_flat("a network with Adam", [&] {
    optimizer.zero_grad();
    nn::cross_entropy(net(x), labels).backward();
    optimizer.step();
  });

  Net best = net;
  check_flat("snapshots and restoring", [&] {
    nn::zero_grad(net);
    const Tensor loss = nn::cross_entropy(net(x), labels);
    loss.backward();
    net.output.bias -= 0.01f * net.output.bias.grad();
    if (loss.item() < 1) best = net;
    net = best;
  });

  Parameter a = parameter(0.0), b = parameter(0.0);
  const Tensor t = linspace(-1.0, 1.0, 50);
  double mean_loss = 0;
  Tensor running = zeros({}, f64);
  check_flat("a regression as a textbook writes it", [&] {
    const Tensor loss = mean(square(a * t + b - (2.0 * t - 0.5)));
    loss.backward();
    a = a - 0.1 * a.grad();
    b -= 0.1 * b.grad();
    a.zero_grad(), b.zero_grad();
    running = 0.99 * running + 0.01 * loss;  // a loss that was differentiated is a number
  });
  mean_loss = running.item();
  BOOST_TEST(mean_loss < 1e-6);

  Parameter wide = parameter(randn({2000}));
  check_flat(
      "waiting work",
      [&] {
        const Tensor loss = sum(square(wide - 0.5f));
        loss.backward();
        wide -= 0.1f * wide.grad();
        wide.zero_grad();
      },
      20'000 / slower);

  check_flat(
      "values that nobody asked a derivative of",
      [&] {
        const NoGrad no_grad;
        sum(tanh(wide) * wide).item();
      },
      20'000 / slower);

  check_flat(
      "derivatives of derivatives",
      [&] {
        const Tensor g = grad(sum(sin(a * t)), {a}, {.create_graph = true})[0];
        square(g).backward();
        a -= 1e-4 * a.grad();
        a.zero_grad();
      },
      20'000 / slower);

  check_flat(
      "errors",
      [&] {
        try {
          (tanh(wide) + ones({3})).item();
        } catch (const Error&) {
        }
        const Tensor loss = sum(wide * wide);
        loss.backward();
        try {
          loss.backward();
        } catch (const Error&) {
        }
        wide.zero_grad();
      },
      10'000 / slower);
}

BOOST_AUTO_TEST_CASE(epochs_stay_flat) {
  const data::Dataset rows = data::spirals({.points_per_class = 30, .seed = 1});
  nn::Sequential net{nn::Linear(2, 8), nn::Tanh{}, nn::Linear(8, 3)};
  optim::Adam optimizer(nn::parameters(net));
  const data::DataLoader batches(rows, {.batch_size = 16, .shuffle = true, .seed = 1});
  double seen = 0;
  check_flat(
      "a loader alone",
      [&] {
        for (const auto& batch : batches) seen += batch[0][0][0].item();
      },
      20'000 / slower);
  check_flat(
      "trainings of two epochs", [&] { training::fit(net, optimizer, batches, {.epochs = 2, .progress = false}); },
      2'000 / slower);

  Counters before;  // and one of many
  Size resident = 0;
  const Size epochs = 4'000 / slower, warm = epochs / 20;
  const training::History history = training::fit(
      net, optimizer, batches, {.epochs = epochs, .progress = false, .after_epoch = [&](const training::Epoch& e) {
                                  if (e.epoch == warm) before = counters(), resident = resident_bytes();
                                  return true;
                                }});
  const Counters after = counters();
  BOOST_TEST(static_cast<Size>(history.epochs.size()) == epochs);
  BOOST_TEST(after.taped == before.taped);
  BOOST_TEST(after.pending == before.pending);
  BOOST_TEST(after.bytes <= before.bytes);  // the last batch is let go of
  if (slower == 1) BOOST_TEST(resident_bytes() <= resident + (Size{8} << 20));
}

// ---- beside a long life

namespace {

// Ten ops with a backward, the first half of them recorded before what `between` does.
double backward_of_ten(const Parameter& v, const std::function<void()>& between) {
  Tensor y = v;
  for (int i = 0; i < 5; ++i) y = y * v;
  between();
  const auto began = std::chrono::steady_clock::now();
  for (int i = 0; i < 5; ++i) y = y * v;
  sum(y).backward();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
}

double median(std::vector<double> of) {
  std::nth_element(of.begin(), of.begin() + static_cast<std::ptrdiff_t>(of.size() / 2), of.end());
  return of[of.size() / 2];
}

}  // namespace

BOOST_AUTO_TEST_CASE(backward_of_ten_ops_beside_a_million) {
  Parameter w = parameter(1.0), v = parameter(full({3}, 0.9f));
  const auto many = [&](Size n) {
    std::vector<double> times;
    for (Size i = 0; i < n; ++i) times.push_back(backward_of_ten(v, [] {}));
    return median(times);
  };
  many(100);
  const double alone = many(301);
  Tensor chain = w;
  const auto grow = [&](int n) {
    for (int i = 0; i < n; ++i) chain = chain * 0.999999 + w;
  };
  grow(million / 2);
  const double beside = many(301);
  // the ten begin below the million and end above it: the walk must not pass through
  std::vector<double> around;
  for (int i = 0; i < 21; ++i) around.push_back(backward_of_ten(v, [&] { grow(million / 40); }));
  const Counters before = counters();
  backward_of_ten(v, [] {});
  const Counters after = counters();
  BOOST_TEST(after.recorded - before.recorded < 60u);
  BOOST_TEST(after.evaluated - before.evaluated < 60u);
  BOOST_TEST(after.taped == before.taped);
  BOOST_TEST(beside < 3 * alone + 2e-6);
  BOOST_TEST(median(around) < 30 * alone + 1e-4);  // cold caches after the growth; through it would take 10^-3 and more
  BOOST_TEST(chain.requires_grad());
}

// What is pending is evaluated for its own sake, not for the life beside it.
BOOST_AUTO_TEST_CASE(evaluation_beside_a_million) {
  Parameter w = parameter(1.0);
  Tensor chain = w;
  for (int i = 0; i < million / 2; ++i) chain = chain * 0.999999 + w;
  const Tensor x = evaluate(randn({5000})), other = tanh(x) * x;
  const Counters before = counters();
  for (int i = 0; i < 100; ++i) sum(exp(x)).item();
  const Counters after = counters();
  BOOST_TEST(after.evaluated - before.evaluated == 200u);
  BOOST_TEST(other.pending());
}
