# A page in headless Chromium, as a reader sees it, without any help from the network.
#
#   my $chromium = Audiostore::Chromium->new;      # undef where Chromium is not installed
#   my $seen = $chromium->look($file, dark => 1);  # what a script beside the page measures, at 400 and at 1400 pixels
#   $chromium->screenshot($file, $png, width => 400, dark => 1);
#   $chromium->print_pdf($file, $pdf);
#
# Each call also returns or keeps what the browser complained about: console messages, and names it wanted to resolve.
package Audiostore::Chromium;

use strict;
use warnings;

use Carp;
use File::Temp ();
use IPC::Run ();
use JSON::PP ();

sub new {
    my ($class) = @_;
    my ($program) = grep { -x } map { ("$_/chromium", "$_/chromium-browser") } split /:/, $ENV{PATH};
    return undef unless $program;
    my $home = File::Temp->newdir('chromium-XXXXXX', TMPDIR => 1);
    return bless {program => $program, home => $home, number => 0}, $class;
}

# Runs it on a page; returns what it printed.
sub _run {
    my ($self, $url, %options) = @_;
    my $profile = "$self->{home}/" . ++$self->{number};
    my @arguments = (
        '--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run', '--hide-scrollbars',
        '--disable-background-networking', '--disable-component-update', '--disable-default-apps', '--disable-sync',
        '--disable-extensions', '--disable-breakpad', '--no-pings', '--force-device-scale-factor=1',
        '--host-resolver-rules=MAP * ~NOTFOUND', '--allow-file-access-from-files', '--virtual-time-budget=2000',
        '--enable-logging=stderr', "--log-net-log=$profile.json", "--user-data-dir=$profile",
        '--blink-settings=preferredColorScheme=' . ($options{dark} ? 0 : 1), @{$options{arguments}});
    local $ENV{HOME} = "$self->{home}";
    my ($out, $log);
    my $done = eval {
        IPC::Run::run([$self->{program}, @arguments, $url], '<', \undef, '>', \$out, '2>', \$log, IPC::Run::timeout(180));
    };
    $self->{console} = [($log // '') =~ /^.*CONSOLE.*$/mg];
    $self->{requests} = [_requests("$profile.json")];
    $done or croak 'chromium failed: ' . ($@ || $log);
    return $out;
}

# Whatever the last page wanted from anywhere but this machine's files.
sub _requests {
    my ($file) = @_;
    open my $in, '<', $file or return ('there is no log of the network');
    local $/;
    my %urls = map { $_ => 1 } <$in> =~ m{"url":"((?:https?|wss?|ftp)://[^"]*)"}g;
    return sort keys %urls;
}

sub console { return @{$_[0]->{console}}; }
sub requests { return @{$_[0]->{requests}}; }

sub look {
    my ($self, $file, %options) = @_;
    my $frame = "$self->{home}/frame.html";
    open my $out, '>', $frame or croak "cannot write $frame: $!";
    print $out _frame("file://$file");
    close $out or croak "cannot write $frame: $!";
    my $dom = $self->_run("file://$frame", %options, arguments => ['--window-size=1900,1200', '--dump-dom']);
    my ($result) = $dom =~ m{<pre id="seen">(.*?)</pre>}s or croak "nothing was measured: $dom";
    my %entity = (lt => '<', gt => '>', amp => '&', quot => '"');
    return JSON::PP->new->decode($result =~ s/&(\w+);/$entity{$1}/gr);
}

sub screenshot {
    my ($self, $file, $png, %options) = @_;
    $self->_run("file://$file", %options, arguments => ["--window-size=$options{width},$options{height}", "--screenshot=$png"]);
    return -s $png;
}

sub print_pdf {
    my ($self, $file, $pdf) = @_;
    $self->_run("file://$file", arguments => ['--no-pdf-header-footer', "--print-to-pdf=$pdf"]);
    return -s $pdf;
}

# Two frames with the page in them, and a script outside of it that measures: what is wider than the frame or cut off, and
# the contrast of each text with what is behind it, as WCAG computes it.
sub _frame {
    my ($url) = @_;
    return <<"HTML" . <<'SCRIPT';
<!DOCTYPE html><meta charset="utf-8"><body style="margin:0">
<iframe id="narrow" src="$url" width="400" height="900"></iframe><iframe id="wide" src="$url" width="1400" height="900"></iframe>
<pre id="seen"></pre>
HTML
<script>
function numbers(color) { return color.match(/[\d.]+/g).map(Number); }
function luminance(color) {
  const [r, g, b] = color.slice(0, 3).map(c => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
function contrast(a, b) {
  const [x, y] = [luminance(a), luminance(b)].sort((p, q) => q - p);
  return (x + 0.05) / (y + 0.05);
}
function background(element, view) {
  for (let e = element; e; e = e.parentElement) {
    const color = numbers(view.getComputedStyle(e).backgroundColor);
    if (color.length < 4 || color[3] > 0) return color;
  }
  return [255, 255, 255];
}
function measure(frame) {
  const view = frame.contentWindow, page = frame.contentDocument, width = page.documentElement.clientWidth;
  const result = {width, scroll: page.documentElement.scrollWidth, title: page.title, wide: [], cut: [], pale: [],
    scripts: page.scripts.length, images: page.querySelectorAll('img, iframe, object, embed, link').length,
    sections: [...page.querySelectorAll('section')].map(s => s.id), charts: page.querySelectorAll('svg.chart').length,
    unnamed: [...page.querySelectorAll('svg')].filter(s => !s.querySelector('title') || s.getAttribute('role') !== 'img').length,
    texts: 0, paper: view.getComputedStyle(page.body).backgroundColor};
  for (const element of page.body.querySelectorAll('*')) {
    const style = view.getComputedStyle(element);
    const own = [...element.childNodes].some(n => n.nodeType === 3 && n.data.trim());
    if (!own || style.display === 'none') continue;
    const box = element.getBoundingClientRect(), name = element.tagName + '.' + element.className + ': ' + element.textContent.slice(0, 60);
    if (box.width <= 1 || element.closest('thead') && width < 720) continue;
    if (box.width === 0 || element.closest('title, desc')) continue;
    result.texts++;
    if (box.right > width + 1 || box.left < -1) result.wide.push(name);
    if (element.scrollWidth > element.clientWidth + 1 && style.overflowX !== 'visible' && element.clientWidth) result.cut.push(name);
    if (element.namespaceURI.endsWith('svg')) {
      const inner = element.getBBox();
      if (inner.x < -1 || inner.x + inner.width > 361) result.cut.push(name);
    }
    const ink = element.namespaceURI.endsWith('svg') ? style.fill : style.color;
    const ratio = contrast(numbers(ink), background(element, view));
    if (ratio < 4.5) result.pale.push(ratio.toFixed(2) + ' ' + name);
  }
  return result;
}
let loaded = 0;
for (const frame of document.querySelectorAll('iframe')) {
  frame.onload = () => {
    if (++loaded < 2) return;
    document.getElementById('seen').textContent =
      JSON.stringify({narrow: measure(document.getElementById('narrow')), wide: measure(document.getElementById('wide'))});
  };
}
</script>
SCRIPT
}

1;
