// How many processors this process may use.
#pragma once

#include <string>

namespace xgrad::kernels {

// The least of: the machine's, those that this process may run on (sched_setaffinity, taskset), and what its control
// groups allow, rounded up (version 1 and 2; of the group that it is in and of those around that). At least 1.
// `groups` and `mounted` are where the system tells of groups.
int usable_processors(const std::string& groups = "/proc/self/cgroup", const std::string& mounted = "/sys/fs/cgroup");

}  // namespace xgrad::kernels
