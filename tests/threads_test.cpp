// Threads: the same bits for any number of them, a model that many read at once, handles that travel.
#include <boost/test/unit_test.hpp>
#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

#include <xgrad/autodiff.hpp>
#include <xgrad/autodiff/threads.hpp>
#include <xgrad/autodiff/xtensor.hpp>
#include "helpers.hpp"
#include <xgrad/nn.hpp>
#include <xgrad/optim.hpp>

using namespace xgrad;
using namespace helpers;

namespace {

struct Net {
  nn::Linear hidden{40, 130}, output{130, 10};
  Tensor operator()(const Tensor& x) const { return output(tanh(hidden(x))); }
  XGRAD_FIELDS(hidden, output)
};

// work(), for 1, 2, 3 and 5 threads, twice each.
void same_for_any_number(const char* what, const std::function<Tensor()>& work) {
  set_threads(1);
  const Tensor expected = evaluate(work());
  for (const int n : {1, 2, 3, 5, 2}) {
    set_threads(n);
    BOOST_TEST(same_bits(evaluate(work()), expected), what << " on " << n << " threads");
  }
  set_threads(2);
}

}  // namespace

BOOST_AUTO_TEST_CASE(reductions_have_the_same_bits_for_any_number_of_threads) {
  for (const Shape& shape :
       {Shape{1'000'003}, Shape{1000, 1300}, Shape{130'001, 7}, Shape{3, 400'001}, Shape{70, 80, 90}}) {
    for (const DType dtype : {f32, f64}) {
      const Tensor x = evaluate(randn(shape, dtype));
      same_for_any_number("sum", [&] { return sum(tanh(x) * x); });
      for (int axis = 0; axis < shape.rank(); ++axis) {
        same_for_any_number("sum over an axis", [&] { return sum(exp(x) + x, axis); });
        same_for_any_number("softmax", [&] { return softmax(x, axis); });
        same_for_any_number("amax", [&] { return amax(x * 2, axis); });
        same_for_any_number("cumsum", [&] { return cumsum(x, axis); });
        same_for_any_number("standardize", [&] { return standardize(transpose(x, axis, -1)); });
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(products_have_the_same_bits_for_any_number_of_threads) {
  const Size sizes[][3] = {{512, 512, 512},  {64, 128, 784},   {1000, 33, 700}, {33, 2000, 300}, {4000, 1, 3000},
                           {129, 1025, 257}, {1100, 384, 128}, {257, 128, 64},  {388, 70, 32},   {1026, 96, 33}};
  for (const auto& [m, n, k] : sizes)
    for (const DType dtype : {f32, f64})
      for (const bool tx : {false, true})
        for (const bool ty : {false, true}) {
          const Tensor x = evaluate(tx ? randn({k, m}, dtype) : randn({m, k}, dtype));
          const Tensor y = evaluate(ty ? randn({n, k}, dtype) : randn({k, n}, dtype));
          same_for_any_number("matmul", [&] { return matmul(tx ? transpose(x) : x, ty ? transpose(y) : y); });
        }
}

BOOST_AUTO_TEST_CASE(a_training_has_the_same_bits_for_any_number_of_threads) {
  const auto trained = [] {
    manual_seed(3);
    Net net;
    const Tensor x = randn({700, 40}), labels = randint(0, 10, {700});
    optim::AdamW optimizer(nn::parameters(net));
    for (int step = 0; step < 8; ++step) {
      optimizer.zero_grad();
      nn::cross_entropy(net(x), labels).backward();
      optimizer.step();
    }
    return net.hidden.weight.detach();
  };
  same_for_any_number("training", trained);
  Parameter p = parameter(randn({300'001}));
  const Parameter start = p;
  const Tensor g = evaluate(randn({300'001}));
  same_for_any_number("an optimizer's step", [&] {
    p = start;
    p.set_grad(g);
    optim::SGD optimizer({p}, {.momentum = 0.9});
    optimizer.step();
    optimizer.step();
    return p.detach();
  });
}

BOOST_AUTO_TEST_CASE(a_model_is_read_by_many_at_once) {
  Net net;
  const Tensor x = evaluate(randn({60, 40})), labels = evaluate(randint(0, 10, {60}));
  const auto loss = [&] { return nn::cross_entropy(net(x), labels); };
  const Tensor value = evaluate(loss());
  const Tensors gradients = grad(loss(), nn::parameters(net));
  evaluate(gradients);
  std::vector<std::future<bool>> workers;
  for (int w = 0; w < 4; ++w)
    workers.push_back(std::async(std::launch::async, [&] {
      bool right = true;
      for (int i = 0; i < 40; ++i) {
        const Net snapshot = net;  // copies while others read
        right &= same_bits(loss(), value) && same_bits(snapshot.output.weight.value(), net.output.weight.value());
        const Tensors g = grad(loss(), nn::parameters(net));
        for (std::size_t k = 0; k < g.size(); ++k) right &= same_bits(g[k], gradients[k]);
      }
      return right;
    }));
  for (auto& worker : workers) BOOST_TEST(worker.get());
}

// What is computed at once of another thread's numbers holds no handles of them, and gives none back that it had not.
BOOST_AUTO_TEST_CASE(what_another_thread_lends_is_counted_by_nobody) {
  const auto before = counters().bytes;
  {
    std::optional<nn::Embedding> table(std::in_place, 500, 40);
    std::optional<Tensor> index = tensor({1, 499, 7}), outside = tensor({1, 500, 7});
    Tensor first, second;
    std::thread([&] {
      const NoGrad reading;
      first = (*table)(*index);
      BOOST_CHECK_THROW((*table)(*outside), Error);
      second = matmul(table->weight, transpose(first));
      BOOST_CHECK_THROW(matmul(table->weight, *index), Error);
      evaluate(first, second);
    }).join();
    const Tensor expected = evaluate((*table)(*index)), products = evaluate(matmul(table->weight, transpose(expected)));
    BOOST_TEST(same_bits(first, expected));
    table.reset(), index.reset(), outside.reset();
    BOOST_TEST(same_bits(second, products));
  }
  BOOST_TEST(counters().bytes == before);
}

BOOST_AUTO_TEST_CASE(handles_are_copied_and_destroyed_on_any_thread) {
  std::vector<Tensor> shared;
  Parameter p = parameter(randn({50}));
  for (int i = 0; i < 50; ++i) shared.push_back(i % 3 ? evaluate(randn({i * 40})) : p * static_cast<float>(i));
  const Tensor total = evaluate(sum(shared[49]));
  for (int round = 0; round < 20; ++round) {
    std::vector<std::thread> workers;
    for (int w = 0; w < 4; ++w)
      workers.emplace_back([copies = shared, w]() mutable {
        std::vector<Tensor> more;
        for (int i = 0; i < 200; ++i) {
          more.push_back(copies[static_cast<std::size_t>((i * 7 + w) % 50)]);
          if (i % 5 == 0) more.front() = Tensor();
        }
        copies.clear();
      });
    if (round % 2)
      shared[static_cast<std::size_t>(round)] = evaluate(randn({round * 10}));  // while they hold the old one
    for (auto& worker : workers) worker.join();
  }
  BOOST_TEST(same_bits(sum(shared[49]), total));
}

BOOST_AUTO_TEST_CASE(tensors_outlive_the_thread_that_made_them) {
  const Tensor value = elsewhere([] { return evaluate(ones({5000}) * 3); });
  BOOST_TEST(sum(value).item() == 15000);
  auto record = std::make_optional(elsewhere([] {
    Parameter w = parameter(2.0);
    return std::make_pair(w * w, w);
  }));
  BOOST_TEST(record->first.item() == 4);
  record.reset();
  std::optional<Tensor> pending = elsewhere([] { return ones({5000}) * randn({5000}); });
  pending.reset();  // never computed
  for (int i = 0; i < 8; ++i) BOOST_TEST(elsewhere([&] { return sum(value * 2).item(); }) == 30000);
}

BOOST_AUTO_TEST_CASE(a_pending_tensor_of_another_thread_is_refused) {
  const Tensor base = evaluate(randn({5000}));
  Parameter w = parameter(randn({5000}));
  const Tensor pending = tanh(base), loss = sum(w * base);
  const std::function<void()> reads[] = {
      [&] { pending + 1; },
      [&] { sum(pending); },
      [&] { matmul(pending, base); },
      [&] { pending[0]; },
      [&] { loss.item(); },
      [&] { pending.to_vector<float>(); },
      [&] { to_string(pending); },
      [&] { evaluate(pending); },
      [&] {
        evaluate(Tensors{base, pending});
      },
      [&] { as_xtensor<float>(pending); },
      [&] { parameter(pending); },
      [&] { grad(pending, {base}); },
  };
  for (const auto& read : reads) {
    const std::string message = elsewhere([&] {
      try {
        read();
      } catch (const Error& e) {
        return std::string(e.what());
      }
      return std::string("no error");
    });
    if (&read - reads < 11) BOOST_TEST(message.find("evaluate(") != std::string::npos, message);
    else BOOST_TEST(message != "no error");
    BOOST_TEST(pending.pending());
  }
  BOOST_TEST(same_bits(pending, tanh(base)));
  const std::string message = elsewhere([&]() -> std::string {
    try {
      loss.backward();
    } catch (const Error& e) {
      return e.what();
    }
    return "no error";
  });
  BOOST_TEST(message.find("thread") != std::string::npos, message);
  loss.backward();
  BOOST_TEST(same_bits(w.grad(), base));
}

BOOST_AUTO_TEST_CASE(seeds_and_scopes_are_each_thread_s_own) {
  manual_seed(5);
  const Tensor first = rand({10});
  manual_seed(5);
  BOOST_TEST(elsewhere([] {
    manual_seed(9);
    rand({3});
    const NoGrad no_grad;
    const Eager eager;
    return true;
  }));
  BOOST_TEST(same_bits(rand({10}), first));
  const NoGrad no_grad;
  Parameter w = parameter(1.0);
  BOOST_TEST(!(w * w).requires_grad());
  BOOST_TEST(elsewhere([&] { return (w * w).requires_grad(); }));
  BOOST_CHECK_EXCEPTION(set_threads(0), Error, says("threads_test.cpp"));
}

BOOST_AUTO_TEST_CASE(workers_share_a_batch) {
  Net net;
  const Tensor x = evaluate(randn({64, 40})), labels = evaluate(randint(0, 10, {64}));
  const auto part = [&](Size begin, Size end) {
    Tensors g = grad(nn::cross_entropy(net(slice(x, 0, begin, end)), slice(labels, 0, begin, end),
                                       {.reduction = nn::Reduction::sum}),
                     nn::parameters(net));
    evaluate(g);
    return g;
  };
  auto other = std::async(std::launch::async, [&] { return part(32, 64); });
  const Tensors a = part(0, 32), b = other.get(), whole = part(0, 64);
  for (std::size_t i = 0; i < whole.size(); ++i) BOOST_TEST(amax(abs(a[i] + b[i] - whole[i])).item() < 1e-4);
}

BOOST_AUTO_TEST_CASE(a_value_that_another_thread_read_stays) {
  Parameter w = parameter(ones({100}, f64));
  optim::SGD optimizer({w}, {.lr = 1});
  std::unique_ptr<Tensor> copy = elsewhere([&] { return std::make_unique<Tensor>(w.value()); });
  w.set_grad(ones({100}, f64));
  optimizer.step();
  BOOST_TEST(sum(*copy).item() == 100);
  BOOST_TEST(sum(w).item() == 0);
}

// Also one that takes over what an ended one left.
BOOST_AUTO_TEST_CASE(threads_that_nobody_seeds_draw_numbers_of_their_own) {
  const auto draw = [] { return rand({10}, f64).to_vector<double>(); };
  std::set<std::vector<double>> drawn;
  for (int i = 0; i < 20; ++i) drawn.insert(elsewhere(draw));
  std::vector<std::future<std::vector<double>>> workers;
  for (int i = 0; i < 4; ++i) workers.push_back(std::async(std::launch::async, draw));
  for (auto& w : workers) drawn.insert(w.get());
  BOOST_TEST(drawn.size() == 24);
  manual_seed(99);
  const std::vector<double> here = draw();
  BOOST_TEST(elsewhere([&] {
               manual_seed(99);
               return draw();
             }) == here,
             boost::test_tools::per_element());
}

// What others still hold is computed when its thread ends.
BOOST_AUTO_TEST_CASE(a_pending_tensor_outlives_its_thread) {
  const Tensor x = evaluate(randn({5000})), m = evaluate(randn({70, 70}));
  Parameter w = parameter(x);
  const Tensors got = elsewhere([&] {
    const Tensor h = tanh(x) * 2, loss = sum(h * w);
    const Tensors list{h, h + x, matmul(m, transpose(m)), transpose(matmul(m, m)), loss};
    for (const Tensor& t : {list[0], list[1], list[4]})
      if (!t.pending()) throw std::logic_error("not pending");
    return list;
  });
  const Tensor h = evaluate(tanh(x) * 2);
  const Tensor want[] = {h, h + x, matmul(m, transpose(m)), transpose(matmul(m, m)), sum(h * w)};
  for (std::size_t i = 0; i < got.size(); ++i) {
    BOOST_TEST(!got[i].pending());
    BOOST_TEST(same_bits(got[i], want[i]), i);
  }
}

// A tensor is looked at while its own thread computes it: it is pending, or it is all there.
BOOST_AUTO_TEST_CASE(a_result_is_seen_whole_or_not_at_all) {
  constexpr int rounds = 300;
  const Tensor x = evaluate(reshape(arange(64 * 48), {64, 48}));
  int wrong = 0;
  for (int round = 0; round < rounds; ++round) {
    const Tensor pending = x + 1, view = slice(transpose(pending), 0, 3, 45), row = pending[5];
    std::atomic<bool> go = false;
    const auto look = [&] {
      const NoGrad no_grad;
      go = true;
      while (view.pending()) std::this_thread::yield();
      int bad = view[1][2].item() != static_cast<double>(2 * 48 + 4 + 1);
      while (row.pending()) std::this_thread::yield();
      bad += row[7].item() != static_cast<double>(5 * 48 + 7 + 1);
      return bad;
    };
    auto first = std::async(std::launch::async, look);
    while (!go) std::this_thread::yield();
    evaluate(view, row);
    wrong += first.get();
  }
  BOOST_TEST(wrong == 0);
}

BOOST_AUTO_TEST_CASE(users_threads_share_the_pool) {
  set_threads(2);
  const Tensor x = evaluate(randn({700, 500})), m = evaluate(randn({500, 400}));
  const auto work = [&] { return Tensors{sum(tanh(x) * x), sum(exp(x), 0), matmul(x, m), softmax(x, 0)}; };
  Tensors expected = work();
  evaluate(expected);
  std::vector<std::future<bool>> workers;
  for (int k = 0; k < 3; ++k)
    workers.push_back(std::async(std::launch::async, [&] {
      bool right = true;
      for (int i = 0; i < 20; ++i) {
        const Tensors got = work();
        evaluate(got);
        for (std::size_t j = 0; j < got.size(); ++j) right &= same_bits(got[j], expected[j]);
      }
      return right;
    }));
  for (auto& w : workers) BOOST_TEST(w.get());
}

// What each gives is added, whichever comes first; small ones and those that are computed in regions.
BOOST_AUTO_TEST_CASE(threads_may_call_backward_into_one_parameter) {
  constexpr int workers = 4, steps = 200;
  for (const Size n : {Size{1}, Size{50}, Size{3000}, Size{40000}}) {
    Parameter p = parameter(ones({n}, f64)), q = parameter(2 * ones({n}, f64));
    std::vector<std::future<void>> all;
    for (int k = 0; k < workers; ++k)
      all.push_back(std::async(std::launch::async, [&p, &q, k] {
        for (int i = 0; i < steps; ++i) {
          const Tensor a = p * (k + 1), b = q * a;
          if (k % 2) sum(b).backward();
          else (sum(q * p) * (k + 1)).backward();  // in the other order
        }
      }));
    for (auto& worker : all) worker.get();
    constexpr double total = steps * workers * (workers + 1) / 2;  // whole numbers: exact in any order
    BOOST_TEST(same_bits(p.grad(), 2 * total * ones({n}, f64)));
    BOOST_TEST(same_bits(q.grad(), total * ones({n}, f64)));
  }
}
