/* All routes, in one list. */
#include "api/tables.h"

#include "api/app.h"

#define TABLE(name) {name##_routes, &name##_routes_n}

const struct route_table app_tables[] = {
    TABLE(event),
    TABLE(explain),
    TABLE(decision),
    TABLE(subscriber),
    TABLE(subscriber_preference),
    TABLE(subscriber_credential),
    TABLE(subscriber_v1),
    TABLE(subscriber_export),
    TABLE(subscriber_notification),
    TABLE(topic),
    TABLE(subscription),
    TABLE(context),
    TABLE(workflow), TABLE(bridge),
    TABLE(notification),
    TABLE(activity_request),
    TABLE(notification_stat),
    TABLE(message),
    TABLE(integration), TABLE(integration_hook),
    TABLE(delivery),
    TABLE(environment_variable),
    TABLE(translation),
    TABLE(fanout),
    TABLE(layout),
    TABLE(publish),
    TABLE(channel_link), TABLE(chat_oauth), TABLE(chat_oauth_v1), TABLE(chat_link), TABLE(delivery_report), TABLE(webhook), TABLE(telegram), TABLE(telegram_setup),
    TABLE(tenant), TABLE(legacy_group), TABLE(legacy_status), TABLE(legacy_layout), TABLE(legacy_workflow), TABLE(legacy_organization), TABLE(workflow_override),
    TABLE(user), TABLE(step_resolver),
    TABLE(domain), TABLE(agent),
    TABLE(environment), TABLE(organization),
    TABLE(outbox),
    TABLE(outbox_wait),
    TABLE(inbox),
    TABLE(widget),
    TABLE(socket),
    TABLE(system), TABLE(openapi),
    {NULL, NULL},
};
