// Draws every [data-chart] with one theme, light and dark. What the data may say stands in console/charts.py.
(function () {
  "use strict";
  var drawn = new Map();
  var language = document.documentElement.lang === "en" ? "en-US" : "zh-CN";

  function colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue("--rg-" + name).trim();
  }
  function painted(value) {
    if (typeof value === "string") return value[0] === "@" ? colour(value.slice(1)) : value;
    if (Array.isArray(value)) return value.map(painted);
    if (value && typeof value === "object") {
      var copy = {};
      Object.keys(value).forEach(function (key) { copy[key] = painted(value[key]); });
      return copy;
    }
    return value;
  }
  function writer(unit, currency, compact) {
    var how = unit === "percent" ? { style: "percent", minimumFractionDigits: compact ? 0 : 1, maximumFractionDigits: 1 }
      : unit === "money" ? { style: "currency", currency: currency, currencyDisplay: "narrowSymbol", maximumFractionDigits: compact ? 1 : 2 }
      : { maximumFractionDigits: 1 };
    if (compact && unit !== "percent") { how.notation = "compact"; how.useGrouping = "always"; if (unit === "money") how.minimumFractionDigits = 0; }
    var format = new Intl.NumberFormat(language, how);
    return function (v) { return v === null || v === undefined || v === "-" ? "–" : format.format(v); };
  }
  function merged(below, above) {
    if (!below || typeof below !== "object" || Array.isArray(below)) return above;
    var out = Object.assign({}, below);
    Object.keys(above || {}).forEach(function (key) {
      var a = above[key], b = below[key];
      out[key] = a && b && typeof a === "object" && typeof b === "object" && !Array.isArray(a) ? merged(b, a) : a;
    });
    return out;
  }
  function each(value, act) { return Array.isArray(value) ? value.map(act) : value ? act(value) : value; }
  function escaped(text) { var n = document.createElement("span"); n.textContent = text; return n.innerHTML; }

  // White or black, whichever contrasts more with what the scale shows at a share of 0 to 1: 4.5 to 1 at the least.
  // Luminance and contrast as WCAG 2.2 defines them; #rrggbb colours stand at equal distances, mixed as echarts does.
  function readable(scale, share) {
    var at = Math.max(0, Math.min(share || 0, 1)) * (scale.length - 1), below = Math.min(Math.floor(at), scale.length - 2);
    var light = [0.2126, 0.7152, 0.0722].reduce(function (sum, weight, i) {
      var a = parseInt(scale[below].substr(1 + 2 * i, 2), 16), b = parseInt(scale[below + 1].substr(1 + 2 * i, 2), 16);
      var c = (a + (b - a) * (at - below)) / 255;
      return sum + weight * (c <= 0.04045 ? c / 12.92 : Math.pow((c + 0.055) / 1.055, 2.4));
    }, 0);
    return 1.05 / (light + 0.05) >= (light + 0.05) / 0.05 ? "#fff" : "#000";
  }

  function full(data, low, wide) {
    var option = painted(data.option);
    var exact = writer(data.unit, data.currency, false), short = writer(data.unit, data.currency, true);
    var ink = colour("ink"), quiet = colour("quiet"), line = colour("line"), surface = colour("surface");
    var font = getComputedStyle(document.body).fontFamily;
    var base = {
      animationDuration: 250,
      textStyle: { fontFamily: font, color: ink, fontSize: 12 },
      color: ["accent", "series-2", "series-3", "series-4", "series-5", "series-6"].map(colour),
      legend: { top: 0, left: 0, icon: "roundRect", itemWidth: 10, itemHeight: 10, itemGap: 16, textStyle: { color: ink } },
      tooltip: {
        backgroundColor: surface, borderColor: line, textStyle: { color: ink, fontSize: 12 }, confine: true,
        valueFormatter: exact, extraCssText: "box-shadow:0 4px 16px rgba(0,0,0,.12);font-variant-numeric:tabular-nums"
      }
    };
    var still = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
    if (still) base.animation = false;
    if (data.spark) {
      return merged(base, {
        animation: false, legend: { show: false }, tooltip: { show: false },
        grid: { left: 1, right: 1, top: 3, bottom: 3 },
        xAxis: { type: "category", show: false, boundaryGap: false }, yAxis: { type: "value", show: false, scale: true },
        series: option.series.map(function (s) {
          return merged({ showSymbol: false, silent: true, lineStyle: { width: 1.75 }, areaStyle: { opacity: 0.1 } }, s);
        })
      });
    }
    var kind = option.series && option.series[0] && option.series[0].type;
    var matrix = kind === "heatmap";
    // on a phone a cohort's cells are too narrow for figures: the colours stay, a tap and the table say the rest
    var roomy = matrix && (wide - 90) / option.xAxis.data.length > 40;
    if (option.xAxis || option.yAxis) {
      var legendShown = option.legend && option.legend.show !== false;
      base.grid = { left: 20, right: 28, top: legendShown ? 34 : 12, bottom: 4, containLabel: true };
      var axis = function (a) {
        return merged({
          axisLine: { show: a.type === "category" && !matrix, lineStyle: { color: line } }, axisTick: { show: false }, splitNumber: low ? 2 : 5,
          axisLabel: Object.assign({ color: quiet, hideOverlap: true }, a.type === "value" ? { formatter: short } : {}),
          splitLine: { show: a.type === "value", lineStyle: { color: line, type: [3, 3] } },
          splitArea: { show: false }
        }, a);
      };
      option.xAxis = each(option.xAxis, axis);
      option.yAxis = each(option.yAxis, axis);
      if (!matrix && kind !== "scatter") base.tooltip.trigger = "axis";
    }
    option.series = (option.series || []).map(function (s) {
      if (s.type === "line") return merged({ showSymbol: (s.data || []).length < 3, symbolSize: 6, lineStyle: { width: 2 }, emphasis: { focus: "series" } }, s);
      if (s.type === "bar") return merged({ barMaxWidth: 28, itemStyle: { borderRadius: s.stack ? 0 : 2 }, emphasis: { focus: "series" } }, s);
      if (s.type === "heatmap") return merged({ label: { show: roomy, formatter: function (p) { return (data.unit === "money" ? short : exact)(p.value[2]); } }, itemStyle: { borderColor: surface, borderWidth: 2, borderRadius: 3 }, emphasis: { itemStyle: { borderColor: ink, borderWidth: 1 } } }, s);
      var last = s.type === "sankey" ? Math.max.apply(null, s.data.map(function (n) { return n.depth || 0; })) : 0;
      // on a phone a column's month stands over it once, and its nodes say their stage alone
      var narrow = s.type === "sankey" && last && wide < 560, gap = (wide - 24) / (last || 1);
      if (narrow) base.graphic = s.data.reduce(function (heads, n) { heads[n.depth || 0] = n.label_text.split(" · ")[1]; return heads; }, []).map(function (month, depth) {
        return { type: "text", top: 0, [depth === last ? "right" : "left"]: depth === last ? 8 : 4 + depth * gap, style: { text: month, fill: quiet, font: "11px " + font } };
      });
      if (s.type === "sankey") return merged({
        left: 4, right: last ? 8 : 150, top: narrow ? 24 : 8, bottom: 8, nodeWidth: 12, nodeGap: 14, draggable: false, emphasis: { focus: "adjacency" },
        label: {
          color: ink, fontSize: narrow ? 11 : 12, ...(narrow ? { width: gap - 24, overflow: "truncate" } : {}),
          formatter: function (p) { return narrow ? p.data.label_text.split(" · ")[0] : p.data.label_text || p.name; }
        },
        labelLayout: { hideOverlap: true },
        lineStyle: { color: "gradient", opacity: 0.35 }
      }, s);
      return s;
    });
    if (matrix) {
      var scale = [colour("heat-0"), colour("heat-1"), colour("heat-2")];
      base.visualMap = { inRange: { color: scale } };
      var down = option.yAxis.data, across = option.xAxis.data;
      base.tooltip.formatter = function (p) {
        return escaped(down[p.value[1]]) + " · " + escaped(across[p.value[0]]) + "<br><b>" + escaped(exact(p.value[2])) + "</b>";
      };
      var low0 = option.visualMap.min, span = option.visualMap.max - low0 || 1;
      option.series[0].data = option.series[0].data.map(function (item) {
        var v = Array.isArray(item) ? item : item.value;
        var label = { color: readable(scale, (v[2] - low0) / span) };
        return Array.isArray(item) ? { value: item, label: label } : merged({ label: label }, item);
      });
    }
    if (kind === "sankey") {
      var names = {};
      option.series[0].data.forEach(function (n) { names[n.name] = n.label_text || n.name; });
      base.tooltip.formatter = function (p) {
        var what = p.dataType === "edge" ? names[p.data.source] + " → " + names[p.data.target] : names[p.name];
        return escaped(what) + "<br><b>" + escaped(exact(p.value)) + "</b>";
      };
    }
    return merged(base, option);
  }

  function draw(place) {
    var data = JSON.parse(place.dataset.chart);
    var old = drawn.get(place);
    if (old) old.dispose();
    var chart = echarts.init(place, null, { renderer: "svg" });
    chart.setOption(full(data, place.clientHeight < 160, place.clientWidth));
    chart.on("click", function (p) { if (p.data && p.data.url) location.href = p.data.url; });
    // the pointer promises a page only where there is one (the library shows it over whatever is drawn)
    chart.on("mousemove", function (p) { chart.getZr().setCursorStyle(p.data && p.data.url ? "pointer" : "default"); });
    drawn.set(place, chart);
    seen.observe(place);
  }
  var seen = new ResizeObserver(function (entries) {
    entries.forEach(function (e) { var c = drawn.get(e.target); if (c && e.contentRect.width) c.resize(); });
  });
  function drawIn(root) {
    drawn.forEach(function (chart, place) { if (!document.contains(place)) { chart.dispose(); drawn.delete(place); seen.unobserve(place); } });
    if (root.matches && root.matches("[data-chart]")) draw(root);
    root.querySelectorAll("[data-chart]").forEach(draw);
    document.documentElement.dataset.drawn = "1";
  }
  drawIn(document);
  document.addEventListener("htmx:load", function (e) { if (e.target !== document.body) drawIn(e.target); });
  document.addEventListener("regulars:theme", function () { drawn.forEach(function (c, place) { draw(place); }); });
})();
