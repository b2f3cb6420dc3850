// The pool that all kernels share: every job runs once, whoever calls from wherever, and what a job throws arrives.
#include <algorithm>
#include <atomic>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "autodiff/parallel.hpp"
#include <xgrad/autodiff/threads.hpp>

using namespace xgrad;

namespace {

// Boost's checks are not for several threads at once: jobs count what they saw.
struct Seen {
  explicit Seen(Size jobs) : most(workers_for(jobs)), runs(static_cast<std::size_t>(jobs)), busy(4096) {}

  // One job, from its beginning to its end; `inside` is what it does.
  template <class F>
  void job(Size i, int worker, const F& inside) {
    outside += worker < 0 || worker >= most;
    const auto w = static_cast<std::size_t>(worker);
    twice_at_once += busy[w].exchange(true);
    inside();
    ++runs[static_cast<std::size_t>(i)];
    busy[w] = false;
  }
  void job(Size i, int worker) {
    job(i, worker, [] {});
  }

  std::string wrong() const {
    for (const auto& r : runs)
      if (r != 1) return "a job ran " + std::to_string(r) + " times";
    if (outside) return "a worker's number is outside 0 ... workers_for(jobs) - 1";
    return twice_at_once ? "two jobs had one worker's number at once" : "";
  }

  int most;
  std::vector<std::atomic<int>> runs;
  std::vector<std::atomic<bool>> busy;
  std::atomic<int> outside{0}, twice_at_once{0};
};

constexpr int few[] = {1, 2, 3};

}  // namespace

BOOST_AUTO_TEST_CASE(every_job_runs_once) {
  for (const int n : few) {
    set_threads(n);
    for (int round = 0; round < 300; ++round)
      for (const Size jobs : {0, 1, 2, 3, 5, 64, 257}) {
        Seen seen(jobs);
        parallel_for(jobs, [&](Size i, int worker) { seen.job(i, worker); });
        const std::string wrong = seen.wrong();
        if (!wrong.empty()) BOOST_ERROR(wrong << ": " << jobs << " jobs on " << n << " threads, round " << round);
      }
    BOOST_TEST(workers_for(1) == 1);
    BOOST_TEST(workers_for(2) == std::min(2, n));
    BOOST_TEST(workers_for(1000) == n);
  }
}

BOOST_AUTO_TEST_CASE(several_threads_take_part) {
  set_threads(3);
  std::atomic<int> inside{0};
  const bool met = [&] {
    for (int round = 0; round < 50; ++round) {
      std::atomic<bool> together{false};
      parallel_for(3, [&](Size) {
        ++inside;
        for (int i = 0; i < 200 && !together; ++i) {
          if (inside >= 2) together = true;
          std::this_thread::sleep_for(std::chrono::microseconds(500));
        }
        --inside;
      });
      if (together) return true;
    }
    return false;
  }();
  BOOST_TEST(met);
}

BOOST_AUTO_TEST_CASE(what_a_job_throws_reaches_the_caller) {
  for (const int n : few) {
    set_threads(n);
    for (int round = 0; round < 100; ++round) {
      for (const Size bad : {0, 1, 17, 39}) {
        try {
          parallel_for(40, [&](Size i) {
            if (i == bad) throw std::runtime_error("job " + std::to_string(i));
          });
          BOOST_ERROR("nothing was thrown, on " << n << " threads");
        } catch (const std::runtime_error& e) {
          BOOST_TEST(e.what() == "job " + std::to_string(bad));
        }
      }
      try {  // by all of them: one arrives
        parallel_for(40, [](Size i) { throw i; });
        BOOST_ERROR("nothing was thrown, on " << n << " threads");
      } catch (Size i) {
        BOOST_TEST((0 <= i && i < 40));
      }
      Seen seen(40);  // and the pool is as it was
      parallel_for(40, [&](Size i, int worker) { seen.job(i, worker); });
      BOOST_TEST(seen.wrong() == "");
    }
  }
}

BOOST_AUTO_TEST_CASE(a_call_inside_a_call_runs_in_place) {
  for (const int n : few) {
    set_threads(n);
    for (int round = 0; round < 50; ++round) {
      constexpr Size outer = 9, inner = 20;
      Seen seen(outer);
      std::vector<std::unique_ptr<Seen>> within;
      for (Size i = 0; i < outer; ++i) within.push_back(nullptr);
      std::atomic<int> elsewhere{0}, several{0}, lost{0};
      parallel_for(outer, [&](Size i, int worker) {
        seen.job(i, worker, [&] {
          const auto here = std::this_thread::get_id();
          if (n > 1) several += workers_for(inner) != 1;
          Seen& own = *(within[static_cast<std::size_t>(i)] = std::make_unique<Seen>(inner));
          parallel_for(inner, [&](Size j, int w) {
            elsewhere += n > 1 && std::this_thread::get_id() != here;
            own.job(j, w);
          });
          try {
            parallel_for(inner, [](Size j) {
              if (j == 7) throw std::runtime_error("inside");
            });
            ++lost;
          } catch (const std::runtime_error&) {
          }
          if (n > 1) several += workers_for(inner) != 1;  // still inside
        });
      });
      BOOST_TEST(seen.wrong() == "");
      for (const auto& own : within) BOOST_TEST(own->wrong() == "");
      BOOST_TEST(elsewhere == 0);
      BOOST_TEST(several == 0);
      BOOST_TEST(lost == 0);
      BOOST_TEST(workers_for(inner) == n);
    }
  }
}

BOOST_AUTO_TEST_CASE(two_threads_call_at_once) {
  for (const int n : few) {
    set_threads(n);
    std::vector<std::future<std::string>> callers;
    std::atomic<int> ready{0};
    for (int k = 0; k < 2; ++k)
      callers.push_back(std::async(std::launch::async, [&, k]() -> std::string {
        ++ready;
        while (ready < 2) std::this_thread::yield();
        for (int round = 0; round < 2000; ++round) {
          Seen seen(33);
          const bool fails = round % 10 == k;
          try {
            parallel_for(33, [&](Size i, int worker) {
              if (fails && i == 11) throw k;
              seen.job(i, worker);
            });
            if (fails) return "nothing was thrown";
            if (const std::string wrong = seen.wrong(); !wrong.empty()) return wrong;
          } catch (int who) {
            if (!fails || who != k) return "another caller's exception arrived";
          }
        }
        return "";
      }));
    for (auto& c : callers) BOOST_TEST(c.get() == "", n << " threads");
  }
}

BOOST_AUTO_TEST_CASE(the_number_of_threads_may_change_between_calls) {
  for (int round = 0; round < 300; ++round) {
    set_threads(1 + round * 7 % 5);
    Seen seen(19);
    parallel_for(19, [&](Size i, int worker) { seen.job(i, worker); });
    BOOST_TEST(seen.wrong() == "");
  }
}
