// fork() beside threads that work, and processors that a process may use.
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include <xgrad/autodiff.hpp>
#include <xgrad/autodiff/threads.hpp>
#include "autodiff/kernels/processors.hpp"
#include "helpers.hpp"
#include <xgrad/nn.hpp>
#include <xgrad/optim.hpp>

using namespace xgrad;
using namespace helpers;
namespace fs = std::filesystem;

namespace {

// What a child made of `work` ends with; -1: it did not within the time.
int status_of_child(const std::function<int()>& work, int seconds = 20) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(work());
  for (int i = 0; i < seconds * 200; ++i) {
    int status = 0;
    if (::waitpid(child, &status, WNOHANG) == child)
      return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  return -1;
}

struct Net {
  nn::Linear hidden{64, 128}, output{128, 10};
  Tensor operator()(const Tensor& x) const { return output(tanh(hidden(x))); }
  XGRAD_FIELDS(hidden, output)
};

}  // namespace

// TSan does not let the child of several threads start new ones; ASan's allocator (of GCC 12) does not hold its locks over a fork.
#if !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
BOOST_AUTO_TEST_CASE(a_child_works_whatever_other_threads_do) {
  set_threads(2);
  std::atomic<bool> stop = false;
  std::vector<std::thread> busy;
  busy.emplace_back([&] {  // trains: the pool, both libraries, nodes and buffers
    Net net;
    const Tensor x = evaluate(randn({256, 64})), labels = evaluate(randint(0, 10, {256}));
    const Tensor a = evaluate(randn({160, 160}, f64));
    optim::Adam optimizer(nn::parameters(net));
    while (!stop) {
      optimizer.zero_grad();
      nn::cross_entropy(net(x), labels).backward();
      optimizer.step();
      evaluate(matmul(a, a));
    }
  });
  const Tensor from_main = evaluate(randn({30}));
  busy.emplace_back([&] {  // takes and gives handles, starts threads, asks for memory
    while (!stop) {
      std::thread([&] { evaluate(from_main * 2, full({300'000}, 2.0f) + arange(300'000)); }).join();
      release_memory();
    }
  });
  for (int i = 0; i < 2; ++i)
    busy.emplace_back([&] {  // a library's lock, as often as can be
      const Tensor a = evaluate(randn({24, 24}, f64));
      while (!stop) matmul(a, a);
    });
  busy.emplace_back([&] {  // the lock of the code of chains, which come in ever new forms
    const Tensor a = evaluate(rand({3'000}));
    for (unsigned form = 0; !stop; ++form) {
      Tensor y = a;
      for (int bit = 0; bit < 9; ++bit) y = form >> bit & 1 ? y * a : y + a;
      evaluate(y);
    }
  });
  busy.emplace_back([&] {  // the lock of gradients by rows that somebody looks at
    Parameter table = parameter(randn({2'000, 8}));
    const Tensor rows = arange(100);
    while (!stop) {
      table.zero_grad();
      sum(square(index_select(table, 0, rows))).backward();
      evaluate(table.grad());
    }
  });
  busy.emplace_back([&] {  // the lock of the free lists
    std::vector<Tensor> held;
    while (!stop) {
      for (int i = 0; i < 400; ++i) held.push_back(uninitialised({16'384}, f32).tensor);
      held.clear();
    }
  });
  Parameter w = parameter(randn({200, 150}));
  const Tensor x = evaluate(randn({150, 170})), xd = evaluate(cast(x, f64));
  const Tensor want = grad(sum(square(matmul(w, x))), {w})[0];
  evaluate(want);
  int failed = 0;
  for (int i = 0; i < 100 && failed == 0; ++i) {
    const int status = status_of_child([&] {
      ::alarm(15);
      sum(square(matmul(w, x))).backward();
      if (!same_bits(w.grad(), want)) return 1;
      evaluate(matmul(cast(w, f64), xd));
      int bad = 0;
      std::thread([&] { bad = sum(full({200'000}, 1.0f) * 2 + from_main[0] * 0).item() != 400'000; }).join();
      return bad ? 2 : 0;
    });
    BOOST_TEST(status == 0, "child " << i << " ended with " << status);
    failed += status != 0;
  }
  stop = true;
  for (std::thread& t : busy) t.join();
  BOOST_TEST(same_bits(grad(sum(square(matmul(w, x))), {w})[0], want));
}
#endif

BOOST_AUTO_TEST_CASE(quotas_of_control_groups) {
  const fs::path root = fs::current_path() / "groups";
  fs::remove_all(root);
  const auto put = [&](const std::string& name, const std::string& text) {
    fs::create_directories((root / name).parent_path());
    std::ofstream(root / name) << text;
  };
  const auto usable = [&](const std::string& group, const std::string& mounted) {
    put("self", group);
    return kernels::usable_processors((root / "self").string(), (root / mounted).string());
  };
  const int all = usable("", "nothing");
  BOOST_TEST(all >= 1);
  put("v2/cpu.max", "max 100000\n");
  put("v2/a/cpu.max", "100000 100000\n");
  put("v2/a/b/cpu.max", "max 100000\n");
  put("v2/c/cpu.max", "10000 100000\n");
  put("v2/d/cpu.max", "100000000 100000\n");
  put("v2/e/cpu.max", "nonsense");
  BOOST_TEST(usable("0::/\n", "v2") == all);
  BOOST_TEST(usable("0::/a\n", "v2") == 1);
  BOOST_TEST(usable("0::/a/b\n", "v2") == 1);  // those around it count
  BOOST_TEST(usable("0::/c\n", "v2") == 1);    // a tenth: rounded up
  BOOST_TEST(usable("0::/d\n", "v2") == all);
  BOOST_TEST(usable("0::/e\n", "v2") == all);
  BOOST_TEST(usable("0::/not/there\n", "v2") == all);
  BOOST_TEST(usable("garbage\n::\n0:\n", "v2") == all);
  put("v1/cpu,cpuacct/x/cpu.cfs_quota_us", "50000\n");
  put("v1/cpu,cpuacct/x/cpu.cfs_period_us", "100000\n");
  put("v1/cpu/y/cpu.cfs_quota_us", "-1\n");
  put("v1/cpu/y/cpu.cfs_period_us", "100000\n");
  BOOST_TEST(usable("9:memory:/x\n4:cpu,cpuacct:/x\n0::/\n", "v1") == 1);
  BOOST_TEST(usable("4:cpu,cpuacct:/y\n", "v1") == all);
  put("container/cpu/cpu.cfs_quota_us", "100000\n");  // the path is the host's, the root is ours
  put("container/cpu/cpu.cfs_period_us", "100000\n");
  BOOST_TEST(usable("4:cpu:/docker/1234\n", "container") == 1);
  fs::remove_all(root);
}

// Run again by the next one.
BOOST_AUTO_TEST_CASE(one_processor, *boost::unit_test::disabled()) { BOOST_TEST(threads() == 1); }

BOOST_AUTO_TEST_CASE(processors_that_a_process_may_run_on) {
  const int status = status_of_child([] {
    cpu_set_t set;
    sched_getaffinity(0, sizeof set, &set);
    int first = 0;
    while (!CPU_ISSET(first, &set)) ++first;
    CPU_ZERO(&set);
    CPU_SET(first, &set);
    sched_setaffinity(0, sizeof set, &set);
    ::unsetenv("OMP_NUM_THREADS");
    ::execl("/proc/self/exe", "fork_test", "--run_test=one_processor", "--log_level=error",
            static_cast<char*>(nullptr));
    return 99;
  });
  BOOST_TEST(status == 0);
}
