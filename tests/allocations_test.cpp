// After warm-up a training step asks the system for no memory: counted at malloc, for many kinds of step.
#include <boost/test/unit_test.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <xgrad/autodiff.hpp>
#include "autodiff/kernels/matmul.hpp"
#include <xgrad/data.hpp>
#include "memory_hooks.hpp"
#include <xgrad/nn.hpp>
#include <xgrad/optim.hpp>
#include <xgrad/training.hpp>

using namespace xgrad;

namespace {

using Work = std::function<void()>;

struct Mlp {
  nn::Linear hidden, output;
  Mlp(Size in, Size wide, Size out) : hidden(in, wide), output(wide, out) {}
  Tensor operator()(const Tensor& x) const { return output(tanh(hidden(x))); }
  XGRAD_FIELDS(hidden, output)
};

// A network with an optimizer, on rows that a loader shuffles: a step is an epoch.
template <class Rule>
struct Training {
  data::DataLoader batches;
  Mlp net;
  Rule optimizer;
  Training(Size rows, Size in, Size wide, Size classes, typename Rule::Options options, Size batch = 32)
      : batches({evaluate(randn({rows, in})), randint(0, classes, {rows})},
                {.batch_size = batch, .shuffle = true, .seed = 1}),
        net(in, wide, classes),
        optimizer(nn::parameters(net), options) {}
  void operator()() {
    for (const auto& batch : batches) {
      optimizer.zero_grad();
      nn::cross_entropy(net(batch[0]), batch[1]).backward();
      optimizer.step();
    }
  }
};
template <class Rule>
Work steps_of(Size rows, Size in, Size wide, Size classes, typename Rule::Options options = {}, Size batch = 32) {
  return [t = std::make_shared<Training<Rule>>(rows, in, wide, classes, options, batch)] { (*t)(); };
}

struct Kind {
  const char* name;
  Work work;
};

std::vector<Kind> kinds() {
  std::vector<Kind> list;
  const auto add = [&](const char* name, Work work) { list.push_back({name, std::move(work)}); };

  add("Adam, small network", steps_of<optim::Adam>(100, 2, 16, 2));
  add("AdamW, wider network", steps_of<optim::AdamW>(100, 64, 300, 10));
  add("SGD with momentum", steps_of<optim::SGD>(100, 8, 8, 3, {.momentum = 0.9, .nesterov = true}));
  add("AMSGrad", steps_of<optim::Adam>(64, 8, 8, 3, {.amsgrad = true}));

  add("a regression as a textbook writes it",
      [x = linspace(-1.0, 1.0, 101), a = parameter(0.0), b = parameter(0.0)]() mutable {
        const Tensor loss = mean(square(a * x + b - (2.0 * x - 0.5)));
        loss.backward();
        a = a - 0.1 * a.grad();
        b -= 0.1 * b.grad();
        a.zero_grad(), b.zero_grad();
      });

  // a convolution of 3 x 3 over 12 x 12, as views and one product
  add("views", [x = evaluate(randn({8, 12, 12})), w = parameter(randn({9, 4}))]() mutable {
    Tensors taps;
    for (Size i = 0; i < 3; ++i)
      for (Size j = 0; j < 3; ++j) taps.push_back(slice(slice(x, 1, i, i + 10), 2, j, j + 10));
    const Tensor y = relu(matmul(stack(taps, -1), w));
    const Tensor pooled = amax(reshape(y, {8, 5, 2, 5, 2, 4}), 2);
    mean(square(flip(transpose(flatten(pooled, 1)), 0)), {0, 1}).backward();
    w -= 1e-3f * w.grad();
    w.zero_grad();
  });

  for (const Size images : {2, 40})
    add("convolutions and pools", [x = evaluate(randn({images, 4, 13, 12})), w = parameter(randn({6, 2, 3, 3})),
                                   b = parameter(randn({6}))]() mutable {
      const Tensor h = relu(conv2d(x, w, b, {.stride = {1, 2}, .padding = 1, .groups = 2}));
      const Tensor y = avg_pool2d(max_pool2d(h, 2), 2, {.ceil_mode = true});
      mean(square(conv_transpose2d(y, w, {.stride = 2}))).backward();
      w -= 1e-3f * w.grad(), b -= 1e-3f * b.grad();
      w.zero_grad(), b.zero_grad();
    });

  struct Layers {
    nn::Conv2d conv{4, 6, 3, {.padding = "same", .padding_mode = nn::PaddingMode::reflect}};
    nn::BatchNorm2d norm{6};
    nn::Dropout2d dropout{};
    nn::ConvTranspose2d up{6, 4, 2, {.stride = 2}};
    nn::GroupNorm groups{2, 4};
    nn::SpectralNorm<nn::Linear> last{nn::Linear(4, 3)};
    nn::EmbeddingBag bag{10, 3};
    nn::Embedding row{10, 3, {.padding_idx = 0}};
    nn::LayerNorm rows{3};
    Tensor operator()(const Tensor& x, const Tensor& index) const {
      const Tensor image = groups(up(dropout(nn::mish(norm(conv(x))))));
      return rows(last(mean(nn::ReplicationPad2d(1)(image), {2, 3})) + bag(index) + sum(row(index), 1));
    }
    XGRAD_FIELDS(conv, norm, dropout, up, groups, last, bag, row, rows)
  };
  add("layers", [net = std::make_shared<Layers>(), x = evaluate(randn({5, 4, 8, 9})),
                 index = tensor({{1, 0}, {2, 3}, {9, 9}, {0, 0}, {4, 1}}), p = Parameters()]() mutable {
    if (p.empty()) p = nn::parameters(*net);
    for (const auto& each : p) each.zero_grad();
    mean(square((*net)(x, index) - 1.0f)).backward();
  });

  add("a large formula", [w = parameter(randn({200'000}))]() mutable {
    const Tensor loss = sum(0.5 * w * (1 + tanh(0.79788 * (w + 0.044715 * w * w * w))));
    loss.backward();
    w -= 1e-3f * w.grad();
    w.zero_grad();
  });

  add("reductions and normalisation", [w = parameter(randn({300, 70})), x = evaluate(randn({300, 70}))]() mutable {
    const Tensor h = x * w, centred = h - mean(h, -1, true);
    const Tensor y = centred * rsqrt(var(h, -1, 0, true) + 1e-5f);
    const Tensor p = softmax(y, 1);
    (sum(p * log_softmax(h, 0)) + mean(logsumexp(y, 1)) + amax(sum(y, 0)) + norm(y)).backward();
    w.zero_grad();
  });

  add("backward twice, with keep_graph", [w = parameter(randn({3000})), v = parameter(randn({40}))]() mutable {
    const Tensor loss = sum(tanh(w) * w) + sum(exp(v));
    loss.backward({.keep_graph = true});
    loss.backward();
    w.zero_grad(), v.zero_grad();
  });

  add("grad, and grad of grad", [w = parameter(randn({5})), v = parameter(randn({3000}))]() mutable {
    const Tensor y = sum(sin(w)) * mean(v * v * v);
    const Tensors first = grad(y, {w, v}, {.create_graph = true});
    const Tensors second = grad(sum(first[0]) + sum(first[1]), {w, v});
    w -= 1e-3f * second[0];
    v -= 1e-3f * second[1];
  });

  add("backward of a gradient's norm", [w = parameter(randn({3000}))]() mutable {
    const Tensor g = grad(sum(w * tanh(w)), {w}, {.create_graph = true})[0];
    mean(square(g)).backward();
    w -= 1e-3f * w.grad();
    w.zero_grad();
  });

  add("value_and_grad and hvp", [x = evaluate(randn({40}, f64))] {
    const auto f = [](const Tensor& v) { return sum(exp(v) * v); };
    const ValueAndGrad at = value_and_grad(f, x);
    evaluate(hvp(f, x, at.grad));
  });

  add("indices", [table = parameter(randn({50, 8})), index = randint(0, 50, {20})]() mutable {
    const Tensor rows = index_select(table, 0, index);
    const Tensor first = gather(rows, 1, zeros({20, 1}, i64));
    (sum(square(rows)) + sum(where(first > 0, first, 0.5f * first)) + sum(cumsum(rows, 1))).backward();
    table -= 1e-3f * table.grad();
    table.zero_grad();
  });

  add("a network with dropout, evaluated too",
      [net = std::make_shared<nn::Sequential>(nn::Linear(20, 100), nn::ReLU{}, nn::Dropout{}, nn::Linear(100, 3)),
       x = evaluate(randn({16, 20}))]() mutable {
        nn::mse_loss((*net)(x), zeros({16, 3})).backward();
        nn::zero_grad(*net);
        const NoGrad no_grad;
        nn::huber_loss((*net)(x), ones({16, 3})).item();
      });

  add("batches of rows as they are", [t = std::make_shared<Training<optim::Adam>>(100, 4, 8, 2, optim::AdamRule{}),
                                      rows = data::DataLoader({evaluate(randn({70, 4})), randint(0, 2, {70})})] {
    for (const auto& batch : rows) {
      t->optimizer.zero_grad();
      nn::cross_entropy(t->net(batch[0]), batch[1]).backward();
      t->optimizer.step();
    }
  });
  return list;
}

}  // namespace

BOOST_AUTO_TEST_CASE(every_request_is_counted) {
  std::unique_ptr<int> one;
  std::vector<double> many;
  void* volatile aligned = nullptr, * volatile cleared = nullptr;  // else compilers leave them out
  BOOST_TEST(memory_hooks::requests([&] { one = std::make_unique<int>(1); }) == 1);
  BOOST_TEST(memory_hooks::requests([&] { many.resize(1000); }) == 1);
  BOOST_TEST(memory_hooks::requests([&] { aligned = std::aligned_alloc(64, 640); }) == 1);
  BOOST_TEST(memory_hooks::requests([&] { cleared = std::calloc(10, 10); }) == 1);
  BOOST_TEST(memory_hooks::requests([&] { cleared = std::realloc(cleared, 100'000); }) == 1);
  std::free(aligned);
  std::free(cleared);
  BOOST_TEST(memory_hooks::requests([] { evaluate(randn({12'345})); }) > 0);  // a buffer that no pool has yet
  BOOST_TEST(memory_hooks::requests([] {}) == 0);
}

// Machine code is made when it is worth it, which may be after a warm-up of a few steps: here at once.
[[maybe_unused]] const int code_at_once = setenv("XGRAD_CODE", "always", 1);

BOOST_AUTO_TEST_CASE(a_step_after_warm_up_allocates_nothing) {
  constexpr int warm_up = 12, steps = 30;
  for (const int threads : {1, 2}) {
    set_threads(threads);
    for (const Kind& kind : kinds()) {
      for (int i = 0; i < warm_up; ++i) kind.work();
      const long requests = memory_hooks::requests([&] {
        for (int i = 0; i < steps; ++i) kind.work();
      });
      BOOST_TEST(requests == 0,
                 fmt::format("{}: {} requests in {} steps on {} threads", kind.name, requests, steps, threads));
    }
  }
}

BOOST_AUTO_TEST_CASE(nor_does_the_training_loop) {
  data::DataLoader batches({evaluate(randn({200, 4})), randint(0, 3, {200})}, {.shuffle = true, .seed = 3});
  Mlp net(4, 8, 3);
  optim::Adam optimizer(nn::parameters(net));
  training::fit(net, optimizer, batches, {.epochs = 16, .progress = false, .after_epoch = [](const training::Epoch& e) {
                                            if (e.epoch == 9) memory_hooks::calls = 0, memory_hooks::counting = true;
                                            if (e.epoch == 15) memory_hooks::counting = false;
                                            return true;
                                          }});
  BOOST_TEST(memory_hooks::calls == 0);
}

// Networks so large that oneDNN runs their products: its scratch memory, which it gives back, is all that is asked for.
BOOST_AUTO_TEST_CASE(a_step_with_large_products_asks_for_nothing_else) {
  const bool onednn = std::string(kernels::matmul_libraries()).find("oneDNN") != std::string::npos;
  for (const int threads : {1, 2}) {
    set_threads(threads);
    const Kind large[] = {
        {"784-128-10, Adam", steps_of<optim::Adam>(256, 784, 128, 10, {}, 64)},
        {"784-128-10, SGD with momentum", steps_of<optim::SGD>(256, 784, 128, 10, {.momentum = 0.9}, 64)},
        {"256-512-10, AdamW", steps_of<optim::AdamW>(256, 256, 512, 10, {}, 64)}};
    for (const Kind& kind : large) {
      for (int i = 0; i < 12; ++i) kind.work();
      memory_hooks::of_onednn = 0;
      // On a busy machine a thread may take part for the first time here: it asks once.
      long requests = 1;
      for (int round = 0; round < 3 && requests > 0; ++round)
        requests = memory_hooks::requests([&] {
          for (int i = 0; i < 10; ++i) kind.work();
        });
      BOOST_TEST(requests == 0, fmt::format("{}: {} requests on {} threads", kind.name, requests, threads));
      if (onednn && __builtin_cpu_supports("avx512f")) BOOST_TEST(memory_hooks::of_onednn > 0, kind.name);
    }
  }
}

// One long bag beside many short ones, and short lists of many classes: memory for what is there, not for the longest times all.
BOOST_AUTO_TEST_CASE(few_of_many) {
  manual_seed(5);
  const Size many = 1000;
  const nn::EmbeddingBag layer(10, 8, {.mode = nn::BagMode::max});
  const Tensor index = evaluate(randint(0, 10, {2 * many})),
               offsets = evaluate(where(arange(many + 1) == 0, 0, arange(many + 1) + many - 1));
  memory_hooks::requests([&] { evaluate(grad(sum(layer(index, {.offsets = offsets})), {layer.weight})); });
  BOOST_TEST(memory_hooks::bytes < 4'000'000u);  // [bags, longest, width] are 32 MB of floats
  const Tensor x = watch(evaluate(randn({8, many}))), lists = evaluate(where(arange(many) < 3, argsort(x, 1), -1));
  memory_hooks::requests([&] { evaluate(grad(nn::multilabel_margin_loss(x, lists), {x})); });
  BOOST_TEST(memory_hooks::bytes < 4'000'000u);  // [rows, classes, classes] are 32 MB of floats
}
