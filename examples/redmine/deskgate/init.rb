# frozen_string_literal: true

# A plugin of Redmine: the user of each request is the agent whom the assertion names. gate.rb, which verifies it, is put
# before Redmine by config/additional_environment.rb.

Redmine::Plugin.register :deskgate do
  name 'Deskgate'
  description 'Takes the user from the assertion of Deskgate'
  version '1.0.0'
  requires_redmine version_or_higher: '5.0'
end

ApplicationController.prepend Deskgate::CurrentUser
