// The list of what a database worker does.
#include "worker/accounting_task.hpp"
#include "worker/alerts_task.hpp"
#include "worker/audits_task.hpp"
#include "worker/cache_task.hpp"
#include "worker/history.hpp"
#include "worker/mastering_task.hpp"
#include "worker/outbox_task.hpp"
#include "worker/policies_task.hpp"
#include "worker/task.hpp"
#include "worker/temporary_task.hpp"

namespace audiostore::worker {

std::vector<std::unique_ptr<RecurringTask>> make_tasks(http::Client& /*client*/) {
  std::vector<std::unique_ptr<RecurringTask>> tasks;
  tasks.push_back(std::make_unique<OutboxTask>());
  tasks.push_back(std::make_unique<PoliciesTask>());
  tasks.push_back(std::make_unique<AuditsTask>());
  tasks.push_back(std::make_unique<MasteringTask>());
  tasks.push_back(std::make_unique<CacheTask>());
  tasks.push_back(std::make_unique<TemporaryTask>());
  tasks.push_back(std::make_unique<HistoryTask>());
  tasks.push_back(std::make_unique<AccountingTask>());
  tasks.push_back(std::make_unique<AlertsTask>());
  return tasks;
}

}  // namespace audiostore::worker
