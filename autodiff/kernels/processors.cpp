#include "autodiff/kernels/processors.hpp"

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <sstream>
#include <thread>
#include <vector>

namespace xgrad::kernels {
namespace {

constexpr double no_limit = std::numeric_limits<double>::infinity();

// Those that this process may run on; 0: unknown.
int allowed() {
  for (int most = 1024; most <= 1 << 16; most *= 2) {  // the system refuses a set that is smaller than its own
    std::vector<cpu_set_t> set(static_cast<std::size_t>(most) / (8 * sizeof(cpu_set_t)));
    const std::size_t bytes = set.size() * sizeof(cpu_set_t);
    if (sched_getaffinity(0, bytes, set.data()) == 0) return CPU_COUNT_S(bytes, set.data());
  }
  return 0;
}

// Version 2, cpu.max: "200000 100000", or "max 100000": microseconds of work in a period of so many
double limit_v2(const std::string& folder) {
  std::ifstream file(folder + "/cpu.max");
  double quota, period;
  return file >> quota >> period && quota > 0 && period > 0 ? quota / period : no_limit;
}
// Version 1, in two files; a quota of -1 is none
double limit_v1(const std::string& folder) {
  std::ifstream quota_file(folder + "/cpu.cfs_quota_us"), period_file(folder + "/cpu.cfs_period_us");
  double quota, period;
  return quota_file >> quota && period_file >> period && quota > 0 && period > 0 ? quota / period : no_limit;
}

// The least limit of a group and of all around it. In a container the path may be the host's: what is not there limits
// nothing, and the root is the container's own.
template <class Limit>
double least(const std::string& root, std::string path, const Limit& limit) {
  double found = limit(root);
  while (path.size() > 1) {
    found = std::min(found, limit(root + path));
    path.erase(path.find_last_of('/'));
  }
  return found;
}

// A line is "number:controllers:path"; version 2 has the number 0 and no controllers.
double limit_of_groups(const std::string& groups, const std::string& mounted) {
  double found = no_limit;
  std::ifstream file(groups);
  for (std::string line; std::getline(file, line);) {
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos || line[second + 1] != '/') continue;
    const std::string controllers = line.substr(first + 1, second - first - 1), path = line.substr(second + 1);
    if (controllers.empty()) {
      found = std::min({found, least(mounted, path, limit_v2), least(mounted + "/unified", path, limit_v2)});
      continue;
    }
    std::istringstream names(controllers);
    for (std::string name; std::getline(names, name, ',');)
      if (name == "cpu")
        found = std::min({found, least(mounted + "/cpu", path, limit_v1),
                          least((mounted + "/").append(controllers), path, limit_v1)});
  }
  return found;
}

}  // namespace

int usable_processors(const std::string& groups, const std::string& mounted) {
  int n = static_cast<int>(std::thread::hardware_concurrency());
  if (const int own = allowed(); own > 0) n = n > 0 ? std::min(n, own) : own;
  const double limit = std::ceil(limit_of_groups(groups, mounted));
  if (limit < n) n = static_cast<int>(limit);
  return std::max(1, n);
}

}  // namespace xgrad::kernels
