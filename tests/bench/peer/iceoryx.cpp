/* SPDX-License-Identifier: MIT */
/* iceoryx, with untyped chunks and a WaitSet to sleep on. RouDi is the script's. */
#include <iceoryx_posh/popo/untyped_publisher.hpp>
#include <iceoryx_posh/popo/untyped_subscriber.hpp>
#include <iceoryx_posh/popo/wait_set.hpp>
#include <iceoryx_posh/runtime/posh_runtime.hpp>
#include <iceoryx_versions.hpp>
#include <new>
#include <string>
#include <unistd.h>

#include "peer.h"

using namespace iox;

static popo::UntypedPublisher *publisher;
static popo::UntypedSubscriber *subscriber;
static popo::WaitSet<1> *waitset;
static void *chunk;
static const void *taken;

static const char *version_get(void) {
	return ICEORYX_LATEST_RELEASE_VERSION;
}

static capro::ServiceDescription service_of(const struct trial *t) {
	return {capro::IdString_t("zoe"), capro::IdString_t("peers"),
		capro::IdString_t(cxx::TruncateToCapacity, t->name)};
}

static void runtime_make(const char *side) {
	std::string name = std::string("peers-") + side + "-" + std::to_string(getpid());

	runtime::PoshRuntime::initRuntime(RuntimeName_t(cxx::TruncateToCapacity, name.c_str()));
}

static int produce(const struct trial *t) {
	popo::PublisherOptions options;

	runtime_make("out");
	if (t->deed == FLOW) {
		options.subscriberTooSlowPolicy = popo::ConsumerTooSlowPolicy::WAIT_FOR_CONSUMER;
	}
	publisher = new popo::UntypedPublisher(service_of(t), options);
	return 0;
}

static int consume(const struct trial *t, unsigned) {
	popo::SubscriberOptions options;

	options.queueCapacity = SLOTS - 2;
	if (t->deed == FLOW) {
		options.queueFullPolicy = popo::QueueFullPolicy::BLOCK_PRODUCER;
	}
	runtime_make("in");
	subscriber = new popo::UntypedSubscriber(service_of(t), options);
	waitset = new popo::WaitSet<1>();
	return waitset->attachState(*subscriber, popo::SubscriberState::HAS_DATA).has_error() ? -1
											      : 0;
}

static uint8_t *acquire(void) {
	auto loan = publisher->loan(FRAME_BYTES);

	chunk = loan.has_error() ? nullptr : loan.value();
	return static_cast<uint8_t *>(chunk);
}

static int publish(void) {
	publisher->publish(chunk);
	return 0;
}

static bool take(void) {
	auto result = subscriber->take();

	taken = result.has_error() ? nullptr : result.value();
	return taken != nullptr;
}

static const uint8_t *next(int timeout_ms) {
	if (!take() && !waitset->timedWait(units::Duration::fromMilliseconds(timeout_ms)).empty()) {
		take();
	}
	return static_cast<const uint8_t *>(taken);
}

static void release(void) {
	subscriber->release(taken);
}

static void leave(void) {
	delete waitset;
	delete subscriber;
	delete publisher;
}

const struct peer peer = {version_get, 1 << IN_PLACE | 1 << COPY | 1 << FLOW | 1 << STOPPED, nullptr,
	produce, consume, acquire, publish, nullptr, next, release,
	leave, nullptr};
