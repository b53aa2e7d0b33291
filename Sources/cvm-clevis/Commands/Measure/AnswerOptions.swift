// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import LaunchMeasurement
import PinKit

/// How a measurement is answered.
struct AnswerOptions: ParsableArguments {
    @Flag(
        help: """
            Print each thing that is measured: the digest so far (or of the thing alone, where it has no size), its address, its size, \
            its name.
            """)
    var explain = false

    @Flag(help: "Answer with JSON.")
    var json = false

    /// `text` for people, or `object`; with --explain the steps beside the text or as a member of the object.
    func answer(_ text: String, _ steps: [LaunchStep], _ object: JSONObject) {
        guard json else {
            if explain { steps.forEach { Console.say($0.line) } }
            return Console.answer(text)
        }
        var object = object
        if explain { object["steps"] = .array(steps.map(\.json)) }
        Console.answer(JSON.object(object).canonical)
    }
}

extension LaunchStep {
    private var place: String? { address.map { "0x\(String($0, radix: 16))" } }

    fileprivate var line: String { "\(Hex.encode(digest)) \(place ?? "-") \(size.map(String.init) ?? "-") \(part)" }

    fileprivate var json: JSON {
        var object: JSONObject = ["digest": .string(Hex.encode(digest)), "part": .string(part)]
        object["address"] = place.map { .string($0) }
        object["size"] = size.map { .integer(Int64($0)) }
        return .object(object)
    }
}
