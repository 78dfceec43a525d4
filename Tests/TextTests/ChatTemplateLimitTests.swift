import Foundation
import Testing
import Text

/// A template too long to be shown in full.
struct LongTemplate: CustomTestStringConvertible, Sendable, ExpressibleByStringLiteral {
    let source: String
    var testDescription: String { String(source.prefix(70)) }

    init(stringLiteral value: String) { source = value }

    init(_ before: String, _ repeated: String, times count: Int, _ after: String = "") {
        source = before + String(repeating: repeated, count: count) + after
    }
}

@Suite struct ChatTemplateLimitTests {
    private func outcome(_ source: String, _ limits: TemplateLimits = TemplateLimits()) -> TemplateError? {
        do throws(TemplateError) {
            _ = try ChatTemplate(source, limits: limits).render(messages: [], variables: [])
            return nil
        } catch {
            return error
        }
    }

    private func isLimit(_ error: TemplateError?) -> Bool { if case .limit = error { true } else { false } }

    @Test(
        arguments: [
            "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
            "{% set ns = namespace(s='ab') %}{% for i in range(64) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
            "{{ 'ab' * 9223372036854775807 }}", "{{ 'ab' * 999999999999 }}", "{{ [1] * 99999999999 }}",
            "{% for i in range(99999) %}{{ 'x' * 100000 }}{% endfor %}", "{{ range(1000000) }}",
            "{{ range(0, -9223372036854775807 - 1, -1) }}", "{{ 'a'.center(9223372036854775807) }}",
            "{{ 'a'|indent(9223372036854775807) }}", "{{ '%99999999999d' % 1 }}", "{{ '{:99999999999}'.format(1) }}",
            "{{ '\t'.expandtabs(9223372036854775807) }}", "{{ 'a'.zfill(9223372036854775807) }}",
            "{{ 'a'.replace('', 'x' * 10000000).replace('x', 'x' * 10000000) }}",
            "{{ [1]|batch(99999999999, 0)|list }}",
            "{{ [1]|slice(99999999999)|list }}", "{{ [[1]]|tojson(indent=99999999999) }}",
            "{% macro m(n) %}{{ m(n + 1) }}{% endmacro %}{{ m(0) }}",
            "{% for i in [1] recursive %}{{ loop([1]) }}{% endfor %}",
            "{% set ns = namespace(l=[]) %}{% for i in range(9999) %}{% set ns.l = [ns.l] %}{% endfor %}{{ ns.l }}",
            "{% set ns = namespace(l=[]) %}{% for i in range(9999) %}{% set ns.l = {'k': ns.l} %}{% endfor %}",
            "{% set ns = namespace(l='a') %}{% for i in range(9999) %}{% set ns.l = ns.l|map('upper') %}{% endfor %}",
            "{% set ns = namespace(l='a') %}{% for i in range(9999) %}{% set ns.l = cycler(ns.l) %}{% endfor %}",
            "{% set ns = namespace(l='a') %}{% for i in range(9999) %}{% set ns.l = joiner(ns.l) %}{% endfor %}",
            "{% set ns = namespace() %}{% set ns.me = ns %}{{ ns }}",
            LongTemplate("{{ ", "(", times: 5000, "1" + String(repeating: ")", count: 5000) + " }}"),
            LongTemplate("{{ ", "[", times: 5000, String(repeating: "]", count: 5000) + " }}"),
            LongTemplate("{{ ", "not ", times: 5000, "1 }}"), LongTemplate("{{ ", "-", times: 5000, "1 }}"),
            LongTemplate("{{ x", ".a", times: 5000, " }}"), LongTemplate("{{ x", "|e", times: 5000, " }}"),
            LongTemplate("{{ ", "a if b else ", times: 5000, "c }}"), LongTemplate("", "{% if 1 %}", times: 5000),
            LongTemplate("", "{% for a in b %}", times: 5000),
            LongTemplate(
                "{% set b = [1] %}", "{% set b = [b, b, b, b, b, b, b, b] %}", times: 20, "{{ b|tojson }}{{ b }}"),
        ] as [LongTemplate])
    func whatWouldNotEndIsStopped(template: LongTemplate) {
        var limits = TemplateLimits()
        (limits.steps, limits.memoryBytes, limits.outputBytes) = (100_000, 32 << 20, 8 << 20)
        let error = outcome(template.source, limits)
        #expect(isLimit(error), "\(error.map(String.init(describing:)) ?? "rendered")")
    }

    @Test(
        arguments: [
            "{% for a in range(5000) %}{% set n = namespace(p=n) %}{% endfor %}",
            "{% set ns = namespace() %}{% for i in range(5000) %}{% set ns.x = namespace(x=ns.x) %}{% endfor %}ok",
            LongTemplate(
                "{% set ns = namespace() %}{% macro m(p) %}{% macro f() %}{{ p }}{% endmacro %}{% set ns.f = f %}",
                "{% endmacro %}{% for i in range(5000) %}{{ m(ns.f) }}{% endfor %}ok", times: 1),
            LongTemplate(
                "{% set ns = namespace() %}{% for i in range(5000) %}{% for j in [1] %}",
                "{% set _ = loop.changed(ns.l) %}{% set ns.l = loop %}{% endfor %}{% endfor %}ok", times: 1),
            LongTemplate("{% set x = 'a' %}", "{{ x + 'b' + 'c' ~ 1 and 2 or 3 }}", times: 2000),
            LongTemplate("{{ 1", " + 1", times: 9000, " }}"), LongTemplate("{{ x", " and 1", times: 9000, " }}"),
            LongTemplate("{{ 1", " < 2", times: 9000, " }}"), LongTemplate("{{ 'a'", " ~ 'b'", times: 9000, " }}"),
            LongTemplate("{% if a %}", "{% elif b %}", times: 2000, "{% endif %}"),
            "{{ 'ab' * 50000 in 'ab' * 50000 ~ 'c' }}", "{{ ('a' * 20000 ~ 'b') in 'a' * 100000 }}",
            "{{ ('a b ' * 20000).split()|length }}", "{{ ('a b ' * 20000).rsplit(' ')|length }}",
        ] as [LongTemplate])
    func longButBoundedTemplatesRender(template: LongTemplate) {
        // What counts is that neither running nor releasing what was built exhausts the stack.
        #expect(outcome(template.source) == nil)
    }

    @Test func limitsAreTheCallers() {
        var limits = TemplateLimits()
        limits.outputBytes = 10
        #expect(isLimit(outcome("12345678901", limits)))
        #expect(outcome("1234567890", limits) == nil)
        limits = TemplateLimits()
        limits.sourceBytes = 3
        #expect(isLimit(outcome("1234", limits)))
        limits = TemplateLimits()
        limits.steps = 100
        #expect(isLimit(outcome("{% for i in range(101) %}{% endfor %}", limits)))
        limits = TemplateLimits()
        limits.valueDepth = 3
        #expect(outcome("{{ [[[1]]] }}", limits) == nil)
        #expect(isLimit(outcome("{{ [[[[1]]]] }}", limits)))
    }

    @Test func conversationsNestedTooDeeplyAreRefused() throws {
        var value = JSONValue.string("x")
        for _ in 0..<400 { value = .array([value]) }
        let template = try ChatTemplate("{{ messages }}")
        let error = #expect(throws: TemplateError.self) { try template.render(messages: [value]) }
        #expect(isLimit(error))
    }

    @Test(arguments: [
        ("{% include 'x' %}", "include"), ("\n{% extends 'x' %}", "extends"), ("{% block a %}{% endblock %}", "block"),
        ("{% from 'a' import b %}", "from"), ("{{ 'a'|random }}", "random"), ("{{ lipsum() }}", "lipsum"),
        ("{{ self }}", "self"), ("{{ 'a'.encode() }}", "encode"), ("{{ 99999999999999999999 }}", "64 bits"),
        ("{{ 9223372036854775807 + 1 }}", "64 bits"), ("{{ '\\N{DIGIT ONE}' }}", "by name"),
        ("{{ [1]|map('upper') }}", "generator"), ("{{ 2.5 ** 3.5 }}", "power"), ("{{ strftime_now('%Q') }}", "%Q"),
    ])
    func refusedConstructsAreNamed(source: String, name: String) {
        guard case .unsupported(let message, let line) = outcome(source) else {
            Issue.record("\(source) is not refused")
            return
        }
        #expect(message.contains(name))
        #expect(line == (source.hasPrefix("\n") ? 2 : 1))
    }

    @Test func errorsCarryTheirLine() {
        #expect(outcome("a\n\n{{ raise_exception('no') }}") == .raised("no", line: 3))
        #expect(outcome("{% if true %}\n{{ missing.a }}\n{% endif %}")?.line == 2)
        #expect(outcome("a\n{% nope %}")?.line == 2)
        #expect(outcome("{% macro m() %}\n\n{{ 1 / 0 }}{% endmacro %}\n{{ m() }}")?.line == 3)
        #expect(outcome("{% macro m() %}\n\n{% endmacro %}\n{{ m() }}{{ 1 / 0 }}")?.line == 4)
    }
}
