// Handles that outlive their threads, travel between them, and die at odd times.
#include <atomic>
#include <barrier>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <condition_variable>
#include <cstdio>
#include <deque>
#include <future>
#include <mutex>
#include <thread>
#include <vector>

#include <xgrad/autodiff.hpp>

using namespace xgrad;

namespace {

// Evaluates while static objects die; the exit status of the program would show it.
struct LastWords {
  Tensor loss;
  ~LastWords() {
    if (!loss.defined()) return;
    if (!(loss.item() > 0)) std::abort();
    std::puts("static objects may evaluate");
  }
} last_words;

struct Cache {
  Tensors list;
};
thread_local Cache cache;

}  // namespace

BOOST_AUTO_TEST_CASE(a_static_object_may_evaluate_when_it_dies) {
  Parameter w = parameter(rand({5000}));
  for (int i = 0; i < 3; ++i) {
    last_words.loss = sum(tanh(w) * w);
    last_words.loss.backward();
    w -= 0.1f * w.grad();
  }
  last_words.loss = sum(tanh(w) * w);  // pending, until then
}

// What another thread let go of waits for its owner, who ends without recording again; the next thread takes over.
BOOST_AUTO_TEST_CASE(handles_let_go_of_while_their_thread_ends) {
  for (int round = 0; round < 10; ++round) {
    std::promise<std::vector<Tensor>> made;
    std::promise<void> some_gone, recorded, all_gone;
    std::thread maker([&] {
      std::vector<Tensor> out;
      for (int i = 0; i < 100; ++i) out.push_back(tensor({1.0, 2.0, static_cast<double>(i)}));
      made.set_value(std::move(out));
      some_gone.get_future().wait();
      Tensor a = tensor({1.0});
      a = a + exp(a);
      recorded.set_value();
      all_gone.get_future().wait();
    });
    std::vector<Tensor> list = made.get_future().get();
    list.resize(50);
    some_gone.set_value();
    recorded.get_future().wait();
    list.clear();
    all_gone.set_value();
    maker.join();
    const Tensor next = std::async(std::launch::async, [] { return tensor({1.0, 2.0}); }).get();
    BOOST_TEST(sum(next).item() == 3);
  }
}

// Graphs of two ended threads that hold leaves of each other, let go of by two others at once.
BOOST_AUTO_TEST_CASE(two_threads_let_go_of_what_two_ended_ones_shared) {
  for (int round = 0; round < 50; ++round) {
    std::vector<Tensor> leaves[2], graphs[2];
    std::barrier<> sync(2), go(2);
    const auto work = [&](int me) {
      for (int i = 0; i < 200; ++i) leaves[me].push_back(tensor({1.0, 2.0}));
      sync.arrive_and_wait();
      for (const Tensor& leaf : leaves[1 - me]) graphs[me].push_back(watch(tensor({1.0})) * leaf);
      sync.arrive_and_wait();
    };
    { std::jthread a(work, 0), b(work, 1); }
    leaves[0].clear(), leaves[1].clear();
    std::jthread x([&] { go.arrive_and_wait(), graphs[0].clear(); });
    std::jthread y([&] { go.arrive_and_wait(), graphs[1].clear(); });
  }
}

// A thread's own thread_local objects may hold tensors: its state is handed on all the same.
BOOST_AUTO_TEST_CASE(thread_local_tensors_do_not_keep_a_threads_state) {
  const auto life = [] {
    std::uint64_t bytes = 0;
    std::thread([&] {
      for (int k = 0; k < 5; ++k) cache.list.push_back(tensor({1.0}));
      bytes = counters().bytes;
    }).join();
    return bytes;
  };
  const std::uint64_t first = life();
  for (int i = 0; i < 20; ++i) BOOST_TEST(life() == first);
}

BOOST_AUTO_TEST_CASE(a_thread_that_only_makes_tensors_frees_what_others_drop) {
  constexpr int batches = 300, most = 4;
  std::deque<Tensor> queue;
  std::mutex mutex;
  std::condition_variable changed;
  const std::vector<float> row(1 << 14, 1.0f);
  std::uint64_t bytes = 0;
  std::thread producer([&] {
    for (int i = 0; i < batches; ++i) {
      Tensor batch = from_memory(row.data(), {row.size()}, f32);
      bytes = std::max(bytes, counters().bytes);
      std::unique_lock lock(mutex);
      changed.wait(lock, [&] { return queue.size() < most; });
      queue.push_back(std::move(batch));
      changed.notify_all();
    }
  });
  for (int i = 0; i < batches; ++i) {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return !queue.empty(); });
    Tensor batch = std::move(queue.front());
    queue.pop_front();
    changed.notify_all();
    lock.unlock();
    BOOST_TEST_REQUIRE(sum(batch).item() == static_cast<double>(row.size()));
  }
  producer.join();
  BOOST_TEST(bytes < 40 * row.size() * sizeof(float));
}

// A recorded value that only another thread holds is taken off its tape when that lets go, at no cost to other ops.
BOOST_AUTO_TEST_CASE(recorded_values_that_only_another_thread_holds) {
  Parameter w = parameter(2.0);
  const std::uint64_t before = counters().taped;
  std::vector<Tensor> held;
  for (int i = 0; i < 100; ++i) {
    Tensor y = w * 3.0;
    std::thread([&] { held.push_back(y); }).join();
  }
  BOOST_TEST(counters().taped == before + 100);
  const Tensor back = held.back();  // on the thread that recorded it again
  BOOST_TEST(grad(back, {w})[0].item() == 3);
  std::thread([&] { held.clear(); }).join();
  (w + 1.0).item();
  BOOST_TEST(counters().taped == before + 1);
}

// Both look at values of one record while its thread differentiates.
BOOST_AUTO_TEST_CASE(readers_beside_a_backward) {
  std::atomic<int> right = 0;  // Boost's checks are for one thread
  for (int round = 0; round < 20; ++round) {
    Parameter w = parameter(rand({3000}));
    const Tensor h = evaluate(tanh(w)), loss = evaluate(sum(h * h));
    const double total = sum(h).item();
    const auto read = [&] {
      const NoGrad no_grad;
      const double parts = sum(slice(h, 0, 0, 1500)).item() + sum(slice(h, 0, 1500)).item();
      right += std::abs(parts - total) <= 1e-4 * std::abs(total) && loss.item() > 0;
    };
    std::thread first(read), second(read);
    loss.backward();
    first.join();
    second.join();
  }
  BOOST_TEST(right == 40);
}
