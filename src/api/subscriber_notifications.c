/* /v2/subscribers/{subscriberId}/notifications: a person's Inbox from the server's side (rest-api.md §6.3). */
#include "api/inbox_private.h"
#include "api/tables.h"

#define BASE "/v2/subscribers/{subscriberId}/notifications"
#define ONE BASE "/{notificationId}"
#define TWIN(method, path, operation, summary, permission, status, envelope, handler)                                        \
    {method, path, operation, "Subscribers", summary, AUTH_ENVIRONMENT, "SUBSCRIBER_" permission, RATE_CONFIGURATION, 0, status, \
     envelope, INBOX_BODY_MAX, 0, handler}
#define CHANGE(verb, operation, summary, handler) \
    TWIN(HTTP_PATCH, ONE "/" verb, "subscribersNotifications" operation, summary, "WRITE", 200, ENVELOPE_DATA, handler)
#define CHANGE_ALL(verb, operation, summary, handler) \
    TWIN(HTTP_POST, BASE "/" verb, "subscribersNotifications" operation, summary, "WRITE", 204, ENVELOPE_NONE, handler)

const struct route subscriber_notification_routes[] = {
    TWIN(HTTP_GET, BASE, "subscribersNotificationsList", "Retrieve subscriber notifications", "READ", 200, ENVELOPE_NONE,
         inbox_handle_list),
    TWIN(HTTP_GET, BASE "/count", "subscribersNotificationsCount", "Retrieve subscriber notifications count", "READ", 200,
         ENVELOPE_DATA, inbox_handle_count),
    CHANGE("read", "MarkAsRead", "Mark a notification as read", inbox_handle_read),
    CHANGE("unread", "MarkAsUnread", "Mark a notification as unread", inbox_handle_unread),
    CHANGE("archive", "Archive", "Archive a notification", inbox_handle_archive),
    CHANGE("unarchive", "Unarchive", "Unarchive a notification", inbox_handle_unarchive),
    CHANGE("snooze", "Snooze", "Snooze a notification", inbox_handle_snooze),
    CHANGE("unsnooze", "Unsnooze", "Unsnooze a notification", inbox_handle_unsnooze),
    CHANGE("actions/{actionType}/complete", "CompleteAction", "Complete a notification action", inbox_handle_complete),
    CHANGE("actions/{actionType}/revert", "RevertAction", "Revert a notification action", inbox_handle_revert),
    TWIN(HTTP_DELETE, ONE, "subscribersNotificationsDelete", "Delete a notification", "WRITE", 204, ENVELOPE_NONE,
         inbox_handle_delete),
    CHANGE_ALL("read", "MarkAllAsRead", "Mark all notifications as read", inbox_handle_read_all),
    CHANGE_ALL("archive", "ArchiveAll", "Archive all notifications", inbox_handle_archive_all),
    CHANGE_ALL("read-archive", "ArchiveAllRead", "Archive all read notifications", inbox_handle_read_archive),
    CHANGE_ALL("delete", "DeleteAll", "Delete all notifications", inbox_handle_delete_all),
    CHANGE_ALL("seen", "MarkAsSeen", "Mark notifications as seen", inbox_handle_seen),
};
const size_t subscriber_notification_routes_n = sizeof subscriber_notification_routes / sizeof *subscriber_notification_routes;
