// How long an object of a local store outlives the DELETE of its row. For each of a number of rows: writes the
// object, inserts the row, lets the worker fall idle, deletes the row, and waits for the kernel's word that the file
// is gone. Prints two times in milliseconds for each: since the DELETE was sent, and since its commit was reported.
//
//   gone ROOT COUNT     connects as libpq's environment says; rows go through table bench.gone
#include <fcntl.h>
#include <libpq-fe.h>
#include <poll.h>
#include <sys/inotify.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

constexpr int kPatience = 10'000;  // milliseconds
constexpr useconds_t kFallIdle = 20'000;

double milliseconds() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_nsec) * 1e-6;
}

[[noreturn]] void fail(const std::string& what) {
  std::fprintf(stderr, "gone: %s\n", what.c_str());
  std::exit(1);
}

void run(PGconn* connection, const std::string& sql) {
  PGresult* result = PQexec(connection, sql.c_str());
  if (PQresultStatus(result) != PGRES_COMMAND_OK) fail(PQresultErrorMessage(result));
  PQclear(result);
}

void write_object(const std::string& path) {
  int const file = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (file < 0 || write(file, "audio", 5) != 5) fail("could not write " + path);
  close(file);
}

// Takes all the news there are; whether one says that this file is gone.
bool told_gone(int watch, const std::string& name) {
  alignas(inotify_event) char buffer[4096];
  bool gone = false;
  for (;;) {
    ssize_t const size = read(watch, buffer, sizeof buffer);
    if (size <= 0) return gone;
    for (ssize_t at = 0; at < size;) {
      const auto* event = reinterpret_cast<const inotify_event*>(buffer + at);
      if (event->len > 0 && name == event->name) gone = true;
      at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
    }
  }
}

// True when the command is done.
bool progress(PGconn* connection) {
  if (PQconsumeInput(connection) == 0) fail(PQerrorMessage(connection));
  while (PQisBusy(connection) == 0) {
    PGresult* result = PQgetResult(connection);
    if (result == nullptr) return true;
    if (PQresultStatus(result) != PGRES_COMMAND_OK) fail(PQresultErrorMessage(result));
    PQclear(result);
  }
  return false;
}

void measure(PGconn* connection, int watch, const std::string& name, int number) {
  double const sent = milliseconds();
  double committed = 0;
  double gone = 0;
  if (PQsendQuery(connection, ("DELETE FROM bench.gone WHERE id = " + std::to_string(number)).c_str()) == 0) {
    fail(PQerrorMessage(connection));
  }
  while (committed == 0 || gone == 0) {
    pollfd waits[] = {{.fd = watch, .events = POLLIN, .revents = 0},
                      {.fd = committed == 0 ? PQsocket(connection) : -1, .events = POLLIN, .revents = 0}};
    if (poll(waits, 2, kPatience) == 0) fail("waited in vain for " + name);
    if (gone == 0 && told_gone(watch, name)) gone = milliseconds();
    if (committed == 0 && (waits[1].revents != 0) && progress(connection)) committed = milliseconds();
  }
  std::printf("%.3f %.3f\n", gone - sent, std::max(gone - committed, 0.0));
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) fail("usage: gone ROOT COUNT");
  std::string const root = arguments[1];
  PGconn* connection = PQconnectdb("");
  if (PQstatus(connection) != CONNECTION_OK) fail(PQerrorMessage(connection));
  int const watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (watch < 0 || inotify_add_watch(watch, root.c_str(), IN_DELETE | IN_MOVED_FROM) < 0)
    fail("could not watch " + root);
  for (int i = 0; i < std::atoi(arguments[2]); i++) {
    std::string const name = "take-" + std::to_string(i) + ".wav";
    write_object(root + "/" + name);
    run(connection, "INSERT INTO bench.gone VALUES (" + std::to_string(i) + ", '" + name + "')");
    usleep(kFallIdle);
    measure(connection, watch, name, i);
  }
  PQfinish(connection);
}
